// How nodes are, as the page says it: docs/health.rst has what it means. The gateway judges; here
// are only words, an order, and the boxes that nodes are counted in.

import { age } from "./format.js";

/** The worst first; the words of the state, and the box. */
const KINDS = {
  "not-answering": { words: "Not answering", box: "attention" },
  losing: { words: "Losing data", box: "attention" },
  silent: { words: "Silent", box: "attention" },
  weak: { words: "Weak", box: "weak" },
  unknown: { words: "Not heard yet", box: "unknown" },
  asleep: { words: "Asleep", box: "asleep" },
  ok: { words: "OK", box: "ok" },
};

const ORDER = Object.keys(KINDS);

/** Those in which it matters since when. */
const LASTING = ["not-answering", "losing", "silent", "weak"];

/** The boxes, in the order of the page. */
export const BOXES = {
  attention: "need attention",
  weak: "weak signal",
  unknown: "not heard yet",
  asleep: "asleep",
  ok: "OK",
};

/** A newer gateway may know of more. */
function kindOf(node) {
  return KINDS[node.health] || { words: node.health || "", box: "unknown" };
}

/** Which box a node is counted in. One whose port does not open needs somebody, too. */
export function boxOf(node) {
  return node.problem ? "attention" : kindOf(node).box;
}

/** How bad it is, the lowest is the worst. */
export function rank(node) {
  if (node.problem) return -1;
  const place = ORDER.indexOf(node.health);
  return place < 0 ? ORDER.indexOf("unknown") : place;
}

/** How a node is, in a word or two. */
export function healthWords(node) {
  return node.problem ? "Port trouble" : kindOf(node).words;
}

/** The same, and since when. */
export function healthText(node) {
  const words = healthWords(node);
  if (node.problem || !LASTING.includes(node.health) || !node.health_since) return words;
  return `${words} · ${age(node.health_since)}`;
}

/** Why it is not as it should be, in a sentence; empty if there is nothing to say. */
export function healthReason(node) {
  return node.problem || node.health_text || "";
}
