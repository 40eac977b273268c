// Four bars that show how strong a signal is.

import { setAttribute, svg } from "./dom.js";
import { bars, STRENGTHS } from "./format.js";

/** @return an image, and the function that shows a signal (-dBm, or null) on it. */
export function signalBars() {
  const parts = [];
  for (let number = 0; number < 4; number += 1) {
    const height = 3 * (number + 1);
    parts.push(svg("rect", { x: number * 4, y: 12 - height, width: 3, height, rx: 0.5 }));
  }
  const image = svg("svg", { viewBox: "0 0 15 12", "aria-hidden": "true" }, ...parts);
  const show = (value) => {
    const strength = bars(value);
    setAttribute(image, "class", `bars ${STRENGTHS[strength]}`);
    parts.forEach((part, number) => {
      setAttribute(part, "class", number < strength ? "lit" : null);
    });
  };
  return { image, show };
}
