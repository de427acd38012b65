// A button beside a password field that shows and hides what was typed (WCAG 3.3.8).
// <div class="password-row" data-password-toggle data-show="…" data-hide="…" data-shown="…" data-hidden="…">
// Hidden again before the form is sent, so that a browser does not keep the password as an ordinary text.

document.querySelectorAll('[data-password-toggle]').forEach(row => {
  const input = row.querySelector('input[type="password"]');
  const button = document.createElement('button');
  const status = document.createElement('span');
  button.type = 'button';
  button.className = 'btn btn-secondary';
  button.setAttribute('aria-controls', input.id);
  status.setAttribute('role', 'status');
  status.className = 'visually-hidden';

  function show(shown) {
    input.type = shown ? 'text' : 'password';
    button.textContent = shown ? row.dataset.hide : row.dataset.show;
  }

  button.addEventListener('click', () => {
    show(input.type === 'password');
    status.textContent = input.type === 'text' ? row.dataset.shown : row.dataset.hidden;
  });
  if (input.form) {
    input.form.addEventListener('submit', () => show(false));
  }
  show(false);
  row.appendChild(button);
  row.appendChild(status);
});
