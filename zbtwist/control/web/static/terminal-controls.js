// What the terminal's bars are made of, and what of it the browser remembers.

import { element } from "./dom.js";

/** What this browser was told to remember; null for nothing. */
export function remembered(key) {
  // A browser may keep nothing for a page.
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

export function remember(key, value) {
  try {
    localStorage.setItem(key, value);
  } catch {
    // Then not.
  }
}

/** Some of which one is chosen.
 *
 * @param options: value, text and title of each; the first is chosen.
 */
export function choice(name, legend, options, onChoice) {
  const buttons = options.map(([value, text, title]) => {
    const button = element("input", { type: "radio", name, value });
    button.addEventListener("change", () => onChoice(value));
    return element("label", { title }, button, element("span", {}, text));
  });
  const head = element("legend", { class: "unseen" }, legend);
  const box = element("fieldset", { class: "switch" }, head, ...buttons);
  box.choose = (value) => {
    for (const each of box.querySelectorAll("input")) each.checked = each.value === value;
  };
  box.choose(options[0][0]);
  return box;
}

/** A button that does something. */
export function button(id, text, action, more = {}) {
  const made = element("button", { type: "button", id, ...more }, text);
  made.addEventListener("click", action);
  return made;
}

/** Buttons behind one that shows them: until one was pressed, or the reader is elsewhere. */
export function menu(id, text, ...buttons) {
  const summary = element("summary", { id }, text);
  const box = element("details", { class: "terminal-menu" }, summary, element("div", {}, ...buttons));
  box.close = () => {
    box.open = false;
    summary.focus();
  };
  box.addEventListener("focusout", ({ relatedTarget }) => {
    if (!box.contains(relatedTarget)) box.open = false;
  });
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !box.open) return;
    // It closes this, and nothing around it.
    event.preventDefault();
    event.stopPropagation();
    box.close();
  });
  return box;
}
