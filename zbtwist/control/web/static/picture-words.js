// A node's place in the network, in words.

import * as format from "./format.js";
import { healthText } from "./health.js";

/** What our radio measures is the last hop: of a node that others relay, another link. */
export function measured(node, link) {
  return link.parent ? null : node.signal;
}

export function describe(node, link, parentName) {
  const parts = [format.typeText(node)];
  if (node.device) parts.push(node.device);
  if (!link.known) parts.push("way not known yet");
  else parts.push(link.parent ? `through ${parentName}` : "direct");
  if (format.signal(node.signal)) {
    const hop = link.parent ? " over the last hop" : "";
    const strength = format.STRENGTHS[format.bars(node.signal)];
    parts.push(`${format.signal(node.signal)}${hop}, ${strength}`);
  }
  parts.push(node.problem || healthText(node));
  return parts.filter(Boolean).join(" · ");
}

export function shortened(text, length) {
  const letters = [...text];
  return letters.length > length ? `${letters.slice(0, length - 1).join("")}…` : text;
}
