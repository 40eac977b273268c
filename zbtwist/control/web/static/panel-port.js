// The TCP port of a node: where it is reached, and another one for it.

import { ask, resultLine, say, work } from "./asking.js";
import { copy } from "./copying.js";
import { element, setAttribute, setText } from "./dom.js";
import * as format from "./format.js";

export class PanelPort {
  constructor(subject) {
    this.subject = subject;
    this.where = element("span", { id: "node-port", class: "port" });
    this.copied = element("span", { class: "muted", role: "status" });
    this.copy = element("button", { type: "button", class: "link", id: "port-copy" }, "Copy");
    this.copy.addEventListener("click", () => this.copyIt());
    this.change = element(
      "button",
      { type: "button", class: "link", id: "port-change", "aria-expanded": "false" },
      "Change…",
    );
    this.change.addEventListener("click", () => this.unfold());
    this.makeForm();
    this.element = element(
      "section",
      { "aria-label": "Port" },
      element("div", { class: "port-line" }, this.where, this.copied, this.copy, this.change),
      this.form,
    );
  }

  makeForm() {
    this.value = element("input", {
      id: "bind-value",
      inputmode: "numeric",
      spellcheck: "false",
      "aria-describedby": "bind-result",
    });
    this.bindButton = element("button", { class: "primary" }, "Bind");
    this.result = resultLine("bind-result");
    this.unbind = element("button", { type: "button", id: "unbind" }, "Unbind…");
    this.unbind.addEventListener("click", () => this.askUnbind());
    this.unbindResult = resultLine("unbind-result");
    this.questions = element("div");
    this.form = element(
      "form",
      { id: "bind-form", class: "unfolded", autocomplete: "off", hidden: true },
      element("label", { for: "bind-value" }, "TCP port, from now on and after a restart"),
      element("div", { class: "field" }, this.value, this.bindButton, this.unbind),
      this.questions,
      this.result,
      this.unbindResult,
    );
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.bind();
    });
  }

  update() {
    const { values, isOff, state } = this.subject;
    const port = values?.port;
    const idle = values?.unbound ? "No port: its mapping was removed" : "No port";
    setText(this.where, port ? format.portPlace(values, state.gateway) : values ? idle : "");
    this.where.classList.toggle("none", !port);
    this.copy.hidden = !port;
    this.change.hidden = isOff;
    setText(this.change, port ? "Change…" : "Give it one…");
    this.unbind.disabled = !port;
    this.element.hidden = !values;
    setAttribute(this.where, "title", values?.by_hand ? "A person chose this port." : null);
  }

  async copyIt() {
    const isDone = await copy(this.where.textContent);
    setText(this.copied, isDone ? "copied" : "mark it, and copy it");
    setTimeout(() => setText(this.copied, ""), 3000);
  }

  unfold() {
    this.form.hidden = !this.form.hidden;
    setAttribute(this.change, "aria-expanded", String(!this.form.hidden));
    if (this.form.hidden) return;
    const port = this.subject.values?.port;
    this.value.value = typeof port === "number" && port ? port : "";
    say(this.result, "");
    say(this.unbindResult, "");
    this.value.select();
  }

  async bind() {
    const { subject } = this;
    const text = this.value.value.trim();
    if (!/^\d{1,9}$/.test(text)) {
      say(this.result, `“${text}” is no TCP port: write a number from 1 to 65535.`, true);
      return;
    }
    const port = Number(text);
    const own = subject.values?.port;
    if (port === own) {
      say(this.result, "It has this port already.");
      return;
    }
    const owner = [...subject.state.nodes.values()].find(
      (node) => node.port === port && node.address !== subject.address,
    );
    if (owner) {
      await this.swap(port, own, owner);
      return;
    }
    const dropped = subject.clientsText;
    const question = `${dropped} of ${subject.name} will be disconnected from port ${own}.`;
    if (dropped && !(await ask(this.questions, question, "Change the port", { id: "bind" }))) {
      return;
    }
    await work(this.bindButton, this.result, "Opening the port…", async () => {
      await subject.call("bind", port);
      subject.refresh();
    });
  }

  /** Another node has the port: both may exchange theirs. */
  async swap(port, own, owner) {
    const { subject } = this;
    const other = format.nodeName(owner);
    if (typeof own !== "number" || !own) {
      say(
        this.result,
        `Port ${port} is the port of ${other}, and there is none to give in exchange: ` +
          `give ${other} another one first, or unbind it.`,
        true,
      );
      return;
    }
    const clients = (subject.values.clients || 0) + (owner.clients || 0);
    const text =
      `Port ${port} is the port of ${other}. Exchange them: ${subject.name} gets ${port}, ` +
      `and ${other} gets ${own}?` +
      (clients ? ` ${format.counted(clients, "client")} will be disconnected.` : "");
    if (!(await ask(this.questions, text, "Exchange the ports", { id: "swap" }))) {
      say(this.result, `Port ${port} is the port of ${other}; nothing has changed.`, true);
      return;
    }
    await work(this.bindButton, this.result, "Exchanging the ports…", async () => {
      const rows = [
        [subject.address, port],
        [owner.address, own],
      ];
      await subject.link.call("bind_all", [rows]);
      subject.refresh();
      return `Done: ${other} has port ${own} now.`;
    });
  }

  async askUnbind() {
    const { subject } = this;
    const { values } = subject;
    if (!values) return;
    const dropped = subject.clientsText;
    const text =
      `Close port ${values.port} and forget that it was the port of ${subject.name}?` +
      (dropped ? ` ${dropped} will be disconnected.` : "");
    say(this.unbindResult, "");
    const isMeant = await ask(this.questions, text, "Unbind", { no: "Keep it", id: "unbind" });
    if (!isMeant) return;
    await work(this.unbind, this.unbindResult, "Closing the port…", async () => {
      await subject.call("unbind");
      subject.refresh();
    });
  }
}
