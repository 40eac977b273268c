// Whom a router hears, and how well: asked for when somebody wants to know, and kept as it told last.

import { resultLine, work } from "./asking.js";
import { element, setText } from "./dom.js";
import * as format from "./format.js";

/** The best link quality that a module tells. */
const BEST = 255;

export class Neighbours {
  constructor(subject) {
    this.subject = subject;
    /** When it told what is shown, in seconds since 1970; 0 for never. */
    this.at = 0;
    this.ask = element("button", { type: "button", id: "neighbours-ask" }, "Ask whom it hears");
    this.ask.addEventListener("click", () => this.askIt());
    this.result = resultLine("neighbours-result");
    this.age = element("span", { class: "muted" });
    this.list = element("ul", { class: "neighbours", id: "node-neighbours" });
    this.element = element(
      "section",
      { "aria-label": "Neighbours" },
      element("h3", {}, "Neighbours"),
      this.list,
      element("div", { class: "buttons" }, this.ask, this.age),
      this.result,
    );
    this.element.hidden = true;
  }

  update() {
    const { values, details, isOff } = this.subject;
    // An end device hears nobody but its parent, which the facts say.
    if (values) this.element.hidden = values.type === "end";
    this.ask.disabled = isOff;
    if (details) this.show(details.neighbours);
    setText(this.age, this.at ? `told ${format.ago(this.at)}` : "");
  }

  askIt() {
    work(this.ask, this.result, "Asking it, a few answers one after the other…", async () => {
      const told = await this.subject.call("neighbours");
      this.show(told);
      this.update();
      this.subject.refresh();
      return told.text || (told.neighbours.length ? "" : "It hears nobody.");
    });
  }

  show({ at, neighbours }) {
    // What was asked for before may come after what it has told since.
    if (at < this.at) return;
    this.at = at;
    const said = JSON.stringify(neighbours);
    if (said === this.said) return;
    this.said = said;
    const best = [...neighbours].sort((one, other) => other.lqi - one.lqi);
    this.list.replaceChildren(...best.map((one) => this.line(one)));
  }

  line({ addr_extended: extended, addr_short: short, label, name, relationship, lqi }) {
    const address = format.plainAddress(extended);
    const isKnown = this.subject.state.nodes.has(address);
    const isRadio = address === this.subject.state.radio.address;
    const text = isRadio ? "gateway" : name || label || address || format.plainAddress(short);
    const who = isKnown ? this.subject.nodeLink(address, text) : element("span", {}, text);
    const meter = element("meter", { max: BEST, value: lqi, "aria-label": "Link quality" });
    const what = ["parent", "child"].includes(relationship) ? ` · its ${relationship}` : "";
    return element("li", {}, who, meter, element("span", { class: "muted" }, `${lqi}${what}`));
  }
}
