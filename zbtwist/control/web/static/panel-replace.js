// Another module in the place of this one: it gets the port, the name and the settings.

import { ask, resultLine, work } from "./asking.js";
import { element } from "./dom.js";
import * as format from "./format.js";
import { place } from "./place.js";

/** The number of the fault of a change that may cut a node off; its text says why. */
const MAY_CUT_OFF = 11;

export class Replacement {
  constructor(subject) {
    this.subject = subject;
    this.choice = element("select", { id: "replace-by" });
    this.button = element("button", { type: "button", class: "danger", id: "replace" }, "Replace…");
    this.button.addEventListener("click", () => this.replace());
    this.questions = element("div");
    this.result = resultLine("replace-result");
    this.element = element(
      "details",
      { id: "replace-part", class: "unfolding" },
      element("summary", {}, "Replace by another module"),
      element(
        "p",
        { class: "muted" },
        "When this module is dead: a new one of the same kind gets its TCP port, its name and its " +
          "settings, and this one is forgotten. The settings are those that were read last.",
      ),
      element("label", { for: "replace-by" }, "The new module"),
      element("div", { class: "field" }, this.choice, this.button),
      this.questions,
      this.result,
    );
    this.element.addEventListener("toggle", () => {
      if (this.element.open) this.offer();
    });
  }

  update() {
    this.element.hidden = this.subject.isOff;
    if (this.element.open) this.offer();
  }

  /** Offer all others. The new one may join while this is looked at: what is chosen stays so. */
  offer() {
    const { state, address } = this.subject;
    const nodes = [...state.nodes.values()].filter((node) => node.address !== address);
    nodes.sort((one, other) => format.nodeName(one).localeCompare(format.nodeName(other)));
    const offered = nodes.map((node) => `${node.address} ${format.nodeName(node)}`).join("\n");
    if (offered === this.offered) return;
    this.offered = offered;
    const chosen = this.choice.value;
    this.choice.replaceChildren(
      ...nodes.map((node) => {
        const name = format.nodeName(node);
        const text = name === node.address ? name : `${name} (${node.address})`;
        return element("option", { value: node.address }, text);
      }),
    );
    if (state.nodes.has(chosen) && chosen !== address) this.choice.value = chosen;
    this.button.disabled = nodes.length === 0;
  }

  async replace() {
    const { subject } = this;
    const successor = this.choice.value;
    const node = subject.state.nodes.get(successor);
    if (!node) return;
    const name = format.nodeName(node);
    const clients = (subject.values?.clients || 0) + (node.clients || 0);
    const text =
      `${name} gets the port, the name and the settings of ${subject.name}, also in its flash ` +
      `memory, and ${subject.name} is forgotten.` +
      (clients ? ` ${format.counted(clients, "client")} will be disconnected.` : "");
    if (!(await ask(this.questions, text, "Replace it", { id: "replace" }))) return;
    const isDone = await work(this.button, this.result, "Handing all on…", async () => {
      let answer;
      try {
        answer = await subject.call("replace", successor);
      } catch (fault) {
        if (fault.code !== MAY_CUT_OFF) throw fault;
        const isSure = await ask(this.questions, fault.message, "Do it", { id: "replace-sure" });
        if (!isSure) return "Nothing has changed.";
        answer = await subject.call("replace", successor, true);
      }
      this.answer = answer;
      return ["Done.", answer.text].filter(Boolean).join(" ");
    });
    if (isDone && this.answer && place.get("node") === subject.address) {
      place.set({ node: successor, tab: null });
    }
  }
}
