// Makes the preference list quicker to reorder. Every control here is an ordinary button or number field
// that works without this script (U-01, U-06); with it rows move in the page at once, the number fields are
// renumbered, and the plain form is sent by its own "save" button as ever. Markup: macros/preferences.html.
//   form[data-preferences]            data-leave: nothing is saved until the button is pressed
//   ol[data-slots]                    data-moved="{name} … {position} … {count}", data-drag="…"
//   li[data-slot][data-name]          [data-figure], input[data-position],
//                                     button[data-move="up|down"], button[data-move="to"]
//   [data-unsaved]                    shown while something is not saved

const EDGE = 60;

function rowsOf(list) {
  return Array.from(list.querySelectorAll('[data-slot]'));
}

function enhance(form) {
  const unsaved = form.querySelector('[data-unsaved]');
  const status = document.createElement('div');
  let dirty = false;
  status.setAttribute('role', 'status');
  status.className = 'visually-hidden';
  form.appendChild(status);
  form.classList.add('is-enhanced');

  function soil() {
    dirty = true;
    if (unsaved) {
      unsaved.hidden = false;
    }
  }

  function renumber(list) {
    const rows = rowsOf(list);
    rows.forEach((row, index) => {
      row.querySelector('[data-figure]').textContent = index + 1;
      row.querySelector('input[data-position]').value = index + 1;
      row.querySelectorAll('button[data-move="up"]').forEach(button => mark(button, index === 0));
      row.querySelectorAll('button[data-move="down"]').forEach(button => mark(button, index === rows.length - 1));
    });
  }

  // Not the disabled attribute: that would throw the focus away from a button just pressed.
  function mark(button, off) {
    if (off) {
      button.setAttribute('aria-disabled', 'true');
    } else {
      button.removeAttribute('aria-disabled');
    }
  }

  function announce(list, row) {
    const rows = rowsOf(list);
    status.textContent = list.dataset.moved
      .replace('{name}', row.dataset.name)
      .replace('{position}', rows.indexOf(row) + 1)
      .replace('{count}', rows.length);
  }

  // Move a row to the place `index` (from 0) and tell about it; the focus stays on the control used.
  function place(list, row, index) {
    const others = rowsOf(list).filter(other => other !== row);
    const place = Math.max(0, Math.min(index, others.length));
    const focus = document.activeElement;
    list.insertBefore(row, others[place] || null);
    settle(list, row);
    if (row.contains(focus)) {
      focus.focus();
    }
  }

  function settle(list, row) {
    renumber(list);
    row.classList.add('is-moved');
    soil();
    announce(list, row);
  }

  form.addEventListener('click', event => {
    const button = event.target.closest('button[data-move]');
    const list = button && button.closest('[data-slots]');
    if (!list) {
      return;
    }
    event.preventDefault();
    const row = button.closest('[data-slot]');
    const at = rowsOf(list).indexOf(row);
    if (button.dataset.move === 'to') {
      place(list, row, (parseInt(row.querySelector('input[data-position]').value, 10) || at + 1) - 1);
    } else if (button.getAttribute('aria-disabled') !== 'true') {
      place(list, row, at + (button.dataset.move === 'up' ? -1 : 1));
    }
  });

  // Return in a number field means "to this place", not "press the first button of the form".
  form.addEventListener('keydown', event => {
    if (event.key === 'Enter' && event.target.matches('input[data-position]')) {
      event.preventDefault();
      event.target.closest('[data-slot]').querySelector('button[data-move="to"]').click();
    }
  });

  form.addEventListener('change', soil);

  form.querySelectorAll('[data-slots]').forEach(list => {
    rowsOf(list).forEach(row => addHandle(list, row, settle));
    renumber(list);
  });

  function clean() {
    dirty = false;
  }

  form.addEventListener('submit', clean);
  window.addEventListener('session-ended', event => {
    if (dirty) {
      clean();
      event.preventDefault();
      form.submit();
    }
  });
  window.addEventListener('beforeunload', event => {
    if (dirty) {
      event.preventDefault();
      event.returnValue = '';
    }
  });
}

function middle(row) {
  const box = row.getBoundingClientRect();
  return box.top + box.height / 2;
}

// A handle for the mouse and the finger. Out of the tab order and hidden from screen readers: whoever uses
// a keyboard or a reader has the buttons, which say the same in words.
function addHandle(list, row, settle) {
  const handle = document.createElement('button');
  let next = null;
  let moved = false;
  handle.type = 'button';
  handle.className = 'slot-handle';
  handle.tabIndex = -1;
  handle.title = list.dataset.drag;
  handle.textContent = '⠿';
  handle.setAttribute('aria-hidden', 'true');
  row.querySelector('.slot-number').appendChild(handle);

  handle.addEventListener('pointerdown', event => {
    if (event.button !== 0) {
      return;
    }
    event.preventDefault();
    next = row.nextElementSibling;
    moved = false;
    handle.setPointerCapture(event.pointerId);
    row.classList.add('is-dragged');
  });

  handle.addEventListener('pointermove', event => {
    if (!row.classList.contains('is-dragged')) {
      return;
    }
    // The neighbours step over the dragged row: taking the row itself out of the page would end the capture.
    const before = row.previousElementSibling;
    const after = row.nextElementSibling;
    if (before && event.clientY < middle(before)) {
      list.insertBefore(before, after);
      moved = true;
    } else if (after && event.clientY > middle(after)) {
      list.insertBefore(after, row);
      moved = true;
    }
    if (event.clientY < EDGE) {
      window.scrollBy(0, -12);
    } else if (event.clientY > window.innerHeight - EDGE) {
      window.scrollBy(0, 12);
    }
  });

  function drop(keep) {
    if (!row.classList.contains('is-dragged')) {
      return;
    }
    row.classList.remove('is-dragged');
    if (!keep) {
      list.insertBefore(row, next);
    } else if (moved && row.nextElementSibling !== next) {
      settle(list, row);
    }
  }

  handle.addEventListener('pointerup', () => drop(true));
  handle.addEventListener('pointercancel', () => drop(false));
  document.addEventListener('keydown', event => {
    if (event.key === 'Escape') {
      drop(false);
    }
  });
}

document.querySelectorAll('form[data-preferences]').forEach(enhance);
