// Warns three minutes before the session ends, and extends it on request (U-13, S-03). Without this script
// the server ends the session all the same and keeps the draft; the reader then signs in again.
// <dialog id="timeout-dialog" data-idle data-warn data-extend data-ended data-token data-left data-failed>
//   data-idle, data-warn   seconds of the session's life, and how long before its end the warning stands
//   data-extend            where to POST; 2xx extends by data-idle again, 401 or 403 means it has ended
//   data-ended             where to go at the end: no page of a candidate stays on a shared screen. The page
//                          that was open goes along as `next`, to come back to after signing in

const dialog = document.getElementById('timeout-dialog');
const channel = typeof BroadcastChannel === 'function' ? new BroadcastChannel('session') : null;

function run(box) {
  const idle = Number(box.dataset.idle) * 1000;
  const warn = Number(box.dataset.warn) * 1000;
  const left = box.querySelector('[data-time-left]');
  const failed = box.querySelector('[data-failed]');
  let endsAt = Date.now() + idle;
  let returnTo = null;
  let said = -1;

  function open() {
    returnTo = document.activeElement;
    said = -1;
    failed.hidden = true;
    if (box.showModal) {
      box.showModal();
    } else {
      box.setAttribute('open', '');
    }
    box.querySelector('[data-stay]').focus();
  }

  function close() {
    if (box.close) {
      box.close();
    } else {
      box.removeAttribute('open');
    }
    if (returnTo) {
      returnTo.focus();
    }
  }

  function extended() {
    endsAt = Date.now() + idle;
    if (box.hasAttribute('open')) {
      close();
    }
  }

  function leave() {
    // Here the warning about unsaved changes would only keep the page on the screen.
    const ended = new CustomEvent('session-ended', { cancelable: true });
    if (!window.dispatchEvent(ended)) {
      return; // a form with changes sends them, and the page that asks to sign in again keeps them
    }
    const here = window.location.pathname + window.location.search;
    window.location.assign(`${box.dataset.ended}?next=${encodeURIComponent(here)}`);
  }

  async function stay() {
    let answer = null;
    try {
      answer = await fetch(box.dataset.extend, {
        method: 'POST',
        credentials: 'same-origin',
        headers: { 'X-CSRFToken': box.dataset.token },
      });
    } catch (error) {
      failed.hidden = false;
      return;
    }
    if (answer.ok && !answer.redirected) {
      extended();
      if (channel) {
        channel.postMessage('extended');
      }
    } else if (answer.redirected || answer.status === 401 || answer.status === 403) {
      leave();
    } else {
      failed.hidden = false;
    }
  }

  function tick() {
    const rest = endsAt - Date.now();
    if (rest <= 0) {
      leave();
    } else if (rest <= warn) {
      if (!box.hasAttribute('open')) {
        open();
      }
      const minutes = Math.ceil(rest / 60000);
      if (minutes !== said) {
        said = minutes;
        left.textContent = box.dataset.left.replace('{minutes}', minutes);
      }
    }
  }

  box.querySelector('[data-stay]').addEventListener('click', stay);
  box.addEventListener('cancel', event => {
    event.preventDefault();
    stay();
  });
  // Where <dialog> is unknown nothing is inert: keep the focus inside by hand.
  box.addEventListener('keydown', event => {
    if (event.key === 'Escape' && !box.showModal) {
      stay();
    } else if (event.key === 'Tab') {
      const stops = box.querySelectorAll('button');
      const last = stops[stops.length - 1];
      if (!event.shiftKey && document.activeElement === last) {
        event.preventDefault();
        stops[0].focus();
      } else if (event.shiftKey && document.activeElement === stops[0]) {
        event.preventDefault();
        last.focus();
      }
    }
  });
  // Another tab of the same session made a request or extended: this one lives on too.
  if (channel) {
    channel.onmessage = extended;
    channel.postMessage('opened');
  }
  setInterval(tick, 1000);
  document.addEventListener('visibilitychange', tick);
  tick();
}

if (dialog) {
  run(dialog);
}
