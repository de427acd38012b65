// A second click on a button that already sent its form is dropped, so that an impatient reader on a slow
// line does not see the answer to the second click instead of the first. A convenience only: the server's
// idempotency key is the protection (F-04). The button keeps its name and value, so it is not disabled.

const PAUSE = 8000;
const sent = new WeakMap();

document.addEventListener('submit', event => {
  const form = event.target;
  if (event.defaultPrevented || form.method !== 'post') {
    return;
  }
  const now = Date.now();
  if (sent.has(form) && now - sent.get(form) < PAUSE) {
    event.preventDefault();
    return;
  }
  sent.set(form, now);
  form.setAttribute('aria-busy', 'true');
});

// Back from the next page, out of the browser's page cache: the form may be sent again.
window.addEventListener('pageshow', event => {
  if (event.persisted) {
    document.querySelectorAll('form[aria-busy]').forEach(form => {
      sent.delete(form);
      form.removeAttribute('aria-busy');
    });
  }
});
