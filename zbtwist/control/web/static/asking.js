// Doing what takes a while, and asking before what cannot be taken back: in the page, beside what it
// is about, and not in a dialog over it.

import { element, setText } from "./dom.js";

let lastNumber = 0;

/** A place for a sentence on what came of something. */
export function resultLine(id) {
  return element("p", { id, class: "result", role: "status" });
}

/** Say what came of something. */
export function say(line, text, isError = false) {
  line.classList.toggle("error", isError);
  setText(line, text);
}

/** Do something, once at a time, and say how it goes.
 *
 * @param button: what was pressed; it cannot be again until it is done. Not by `disabled`, which
 *   would take the focus away.
 * @param line: where it is said.
 * @param words: what is said meanwhile.
 * @param action: does it; it returns a promise of the sentence that is said then.
 * @return whether it was done.
 */
export async function work(button, line, words, action) {
  if (button.getAttribute("aria-disabled") === "true") return false;
  button.setAttribute("aria-disabled", "true");
  say(line, words);
  let done = false;
  try {
    say(line, (await action()) ?? "Done.");
    done = true;
  } catch (fault) {
    say(line, fault.message, true);
  }
  button.removeAttribute("aria-disabled");
  return done;
}

/** Ask a question, in place of what was there.
 *
 * @param place: the element that it is put into.
 * @param text: the question: what will be, and why that may not be wanted.
 * @param yes: what the button says that does it.
 * @param no: what the other one says.
 * @param id: what the ids of its parts begin with.
 * @return a promise of whether it was meant. Escape says no, and so does another question.
 */
export function ask(place, text, yes, { no = "Cancel", id = `question-${(lastNumber += 1)}` } = {}) {
  place.asked?.(false);
  return new Promise((resolve) => {
    const before = document.activeElement;
    const yesButton = element("button", { type: "button", class: "danger", id: `${id}-yes` }, yes);
    const noButton = element("button", { type: "button", id: `${id}-no` }, no);
    const box = element(
      "div",
      { class: "question", role: "group", "aria-labelledby": `${id}-text` },
      element("p", { id: `${id}-text` }, text),
      element("div", { class: "buttons" }, yesButton, noButton),
    );
    const answer = (isMeant) => {
      place.asked = null;
      // The focus would be lost with the question.
      if (box.contains(document.activeElement)) before?.focus?.({ preventScroll: true });
      box.remove();
      resolve(isMeant);
    };
    place.asked = answer;
    yesButton.addEventListener("click", () => answer(true));
    noButton.addEventListener("click", () => answer(false));
    box.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.preventDefault();
      event.stopPropagation();
      answer(false);
    });
    place.append(box);
    box.scrollIntoView({ block: "nearest" });
    noButton.focus();
  });
}
