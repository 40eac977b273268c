// What is always seen of a node in its panel: who it is, how it is and why, and its port.

import { resultLine, say, work } from "./asking.js";
import { element, setAttribute, setText } from "./dom.js";
import * as format from "./format.js";
import { boxOf, healthWords } from "./health.js";
import { PanelPort } from "./panel-port.js";

/** How each box of nodes looks. */
const LOOKS = { attention: "bad", weak: "fair", ok: "good" };

/** How old something is and since when, such as "since 14:02:11 (13 min ago)". */
function sinceText(seconds) {
  const age = format.ago(seconds);
  const isToday = new Date(seconds * 1000).toDateString() === new Date().toDateString();
  const time = isToday ? format.clock(seconds) : format.moment(seconds);
  return age === "now" ? `since ${time}` : `since ${time}, ${age}`;
}

export class PanelHead {
  constructor(subject) {
    this.subject = subject;
    this.title = element("h2", { id: "node-title", tabindex: "-1" });
    this.facts = element("p", { id: "node-address", class: "muted" });
    this.makeRename();
    const close = element(
      "button",
      { type: "button", class: "close", id: "panel-close", "aria-label": "Close" },
      "×",
    );
    close.addEventListener("click", () => subject.leave());
    this.note = element("p", { id: "node-read-only", class: "note" }, "You may only look.");
    this.problem = element("p", { id: "node-problem", class: "problem" });
    this.health = element("strong", { class: "health" });
    this.since = element("span", { class: "muted" });
    this.reason = element("p", { class: "reason" });
    this.why = element(
      "section",
      { id: "node-why", "aria-label": "How it is" },
      element("p", {}, this.health, " ", this.since),
      this.reason,
    );
    this.port = new PanelPort(subject);
    this.element = element(
      "header",
      { class: "panel-head" },
      element(
        "div",
        { class: "panel-title" },
        element("div", {}, this.title, this.facts),
        this.renameOpen,
        close,
      ),
      this.rename,
      this.note,
      this.why,
      this.problem,
      this.port.element,
    );
    subject.addEventListener("change", () => this.update());
    this.update();
  }

  get height() {
    return this.element.offsetHeight;
  }

  makeRename() {
    this.renameOpen = element(
      "button",
      { type: "button", class: "small", id: "rename-open", "aria-expanded": "false" },
      "Rename…",
    );
    this.renameValue = element("input", {
      id: "rename-value",
      maxlength: "60",
      spellcheck: "false",
      "aria-describedby": "rename-result",
    });
    this.renameResult = resultLine("rename-result");
    const button = element("button", { class: "primary" }, "Rename");
    this.renameButton = button;
    this.rename = element(
      "form",
      { id: "rename-form", class: "unfolded", autocomplete: "off", hidden: true },
      element("label", { for: "rename-value" }, "Name (node identifier), kept by the node itself"),
      element("div", { class: "field" }, this.renameValue, button),
      this.renameResult,
    );
    this.renameOpen.addEventListener("click", () => {
      this.rename.hidden = !this.rename.hidden;
      setAttribute(this.renameOpen, "aria-expanded", String(!this.rename.hidden));
      if (this.rename.hidden) return;
      this.renameValue.value = this.subject.values?.label || "";
      say(this.renameResult, "");
      this.renameValue.select();
    });
    this.rename.addEventListener("submit", (event) => {
      event.preventDefault();
      work(button, this.renameResult, "Writing the name to the node…", async () => {
        await this.subject.call("rename", this.renameValue.value);
        this.subject.refresh();
      });
    });
  }

  update() {
    const { subject } = this;
    const { values, details } = subject;
    const isReadOnly = subject.isReadOnly;
    setText(this.title, subject.name);
    this.showFacts(values, details);
    setText(
      this.note,
      isReadOnly ? "You may only look: what changes something, or reaches a node, is off." : "",
    );
    this.note.hidden = !isReadOnly;
    this.renameOpen.hidden = subject.isOff;
    this.renameButton.disabled = subject.isOff;
    const isGone = !values && subject.link.up;
    const problem = isGone ? "The gateway does not know this node any more." : values?.problem;
    setText(this.problem, problem || "");
    this.problem.hidden = !problem;
    this.showWhy(values);
    this.port.update();
  }

  showFacts(values, details) {
    const parts = [element("span", { class: "address" }, this.subject.address)];
    const alias = values?.name && values.label && values.name !== values.label ? values.label : "";
    const firmware = details?.firmware ? `firmware ${details.firmware}` : "";
    const words = [
      alias && `calls itself ${alias}`,
      values && format.typeText(values),
      values?.device || values?.device_type,
      firmware,
    ].filter(Boolean);
    const text = words.map((word) => ` · ${word}`).join("");
    if (this.factsText === text) return;
    this.factsText = text;
    this.facts.replaceChildren(...parts, text);
  }

  showWhy(values) {
    this.why.hidden = !values;
    if (!values) return;
    // A port in trouble is said below.
    const asNode = { ...values, problem: "" };
    setAttribute(this.why, "class", `why ${LOOKS[boxOf(asNode)] || "idle"}`);
    setText(this.health, healthWords(asNode));
    setText(this.since, values.health_since ? sinceText(values.health_since) : "");
    setText(this.reason, values.health_text);
    this.reason.hidden = !values.health_text;
  }
}
