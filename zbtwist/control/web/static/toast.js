// A word on what was done, which goes by itself.

import { copy } from "./copying.js";
import { byId, setText } from "./dom.js";

/** Milliseconds for which it is there. */
const SAID = 2500;

let timer = null;

export function say(text) {
  const place = byId("toast");
  setText(place, text);
  clearTimeout(timer);
  timer = setTimeout(() => setText(place, ""), SAID);
}

/** Copy a text, and say so. */
export async function copyAndSay(text) {
  const isDone = await copy(text);
  say(isDone ? `Copied ${text}` : `The browser does not let this page copy ${text}`);
}
