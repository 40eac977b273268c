// Copying a text, also on a page that came without TLS from another computer: the browser has no
// clipboard for it, and copies what is marked all the same.

/** @return a promise of whether it was copied. */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyMarked(text);
  }
}

function copyMarked(text) {
  const before = document.activeElement;
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "unseen";
  document.body.append(field);
  field.select();
  let isDone = false;
  try {
    isDone = document.execCommand("copy");
  } catch {
    // Then the reader copies it.
  }
  field.remove();
  before?.focus?.({ preventScroll: true });
  return isDone;
}
