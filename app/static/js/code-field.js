// Shows a card code as it is printed, four digits and four digits, while it is typed at the end of the
// field. Typing in the middle, pasting and correcting are left alone; the server ignores the spaces.

function grouped(text) {
  const digits = text.replace(/[\s-]/g, '');
  return /^[0-9]{5,8}$/.test(digits) ? `${digits.slice(0, 4)} ${digits.slice(4)}` : text;
}

document.querySelectorAll('input[data-code]').forEach(input => {
  let before = input.value;
  input.addEventListener('input', event => {
    const growing = input.value.length > before.length;
    const atEnd = input.selectionStart === input.value.length;
    if (growing && atEnd && !event.isComposing) {
      input.value = grouped(input.value);
    }
    before = input.value;
  });
});
