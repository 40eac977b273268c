// How many nodes are how, in boxes of which each filters the table, and the traffic of all.

import { byId, element, setAttribute, setText } from "./dom.js";
import { bytes, count, counted } from "./format.js";
import { BOXES, boxOf } from "./health.js";
import { place } from "./place.js";
import { Sparkline } from "./sparkline.js";

/** Boxes that are not there while they are empty: that is how it mostly is. */
const RARE = ["unknown"];

/** The box that filters, by the page's address; null for none. */
export function chosenBox() {
  const wanted = place.get("health");
  return Object.hasOwn(BOXES, wanted ?? "") ? wanted : null;
}

function rate(values, seconds) {
  const sum = values.reduce((total, value) => total + value, 0);
  return `${bytes(seconds ? sum / seconds : 0)}/s`;
}

export class Strip {
  constructor(state) {
    this.state = state;
    this.boxes = new Map();
    for (const [box, words] of Object.entries(BOXES)) {
      const number = element("b");
      const button = element(
        "button",
        { type: "button", class: `box ${box}`, "data-box": box },
        number,
        element("span", {}, words),
      );
      button.addEventListener("click", () => {
        place.set({ health: chosenBox() === box ? null : box }, { push: true });
      });
      this.boxes.set(box, { button, number });
      byId("boxes").append(button);
    }
    this.line = new Sparkline();
    byId("all-traffic").append(this.line.image);
    state.addEventListener("change", (event) => this.show(event.detail));
    place.addEventListener("change", () => this.showChoice());
    this.showChoice();
  }

  show({ traffic }) {
    const counts = new Map(Object.keys(BOXES).map((box) => [box, 0]));
    for (const node of this.state.nodes.values()) {
      const box = boxOf(node);
      counts.set(box, counts.get(box) + 1);
    }
    for (const [box, { button, number }] of this.boxes) {
      const found = counts.get(box);
      setText(number, count(found));
      button.classList.toggle("none", !found);
      button.hidden = !found && RARE.includes(box) && chosenBox() !== box;
    }
    if (traffic) this.showTraffic();
  }

  showTraffic() {
    const { all, seconds, number } = this.state.traffic;
    const [received, sent, lost] = all;
    setText(byId("all-rates"), `${rate(received, seconds)} in · ${rate(sent, seconds)} out`);
    const sum = lost.reduce((total, value) => total + value, 0);
    setText(byId("all-lost"), sum ? `${bytes(sum)} lost` : "");
    this.line.show(all, number);
  }

  showChoice() {
    for (const [box, { button }] of this.boxes) {
      setAttribute(button, "aria-pressed", String(chosenBox() === box));
    }
  }
}

/** What a box that filters leaves, in words. */
export function choiceWords(matching, all) {
  const box = chosenBox();
  return `${count(matching)} of ${counted(all, "node")}${box ? `: ${BOXES[box]}` : ""}`;
}
