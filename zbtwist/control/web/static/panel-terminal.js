// The terminal of a node, in its panel.

import { element } from "./dom.js";

export class TerminalTab {
  constructor(subject, { terminal }) {
    this.subject = subject;
    this.open = element(
      "button",
      { type: "button", class: "primary", id: "open-terminal" },
      "Open a terminal",
    );
    this.open.addEventListener("click", () => terminal.open(subject.address));
    const text = "A terminal is one more client of the node's port: what it says comes to all.";
    this.element = element("div", {}, element("p", { class: "muted" }, text), this.open);
    subject.addEventListener("change", () => this.update());
    this.update();
  }

  update() {
    this.open.disabled = !this.subject.values?.port || this.subject.isReadOnly;
  }
}
