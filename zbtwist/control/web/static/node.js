// All about one node, and what can be done to it. What the gateway cannot do it says in its own
// words, beside the field.

import { byId, Facts, setText } from "./dom.js";
import * as format from "./format.js";
import { TrafficGraph, TrafficWatch } from "./traffic.js";

export class NodeDialog {
  /** @param onTerminal: called with a node's address. */
  constructor(link, state, tracing, onTerminal) {
    this.link = link;
    this.tracing = tracing;
    this.state = state;
    this.address = "";
    this.dialog = byId("node-dialog");
    this.facts = new Facts(byId("node-facts"));
    byId("open-terminal").addEventListener("click", () => {
      const { address } = this;
      this.dialog.close();
      onTerminal(address);
    });
    this.dialog.addEventListener("close", () => {
      this.watch?.stop();
      this.address = "";
    });
    this.onSubmit("rename-form", () => this.rename());
    this.onSubmit("bind-form", () => this.bind());
    byId("unbind").addEventListener("click", () => this.askUnbind());
    byId("unbind-no").addEventListener("click", () => this.closeQuestion());
    byId("unbind-yes").addEventListener("click", () => this.unbind());
    byId("trace-node").addEventListener("click", () => this.trace());
    tracing.addEventListener("change", () => this.showTracing());
    state.addEventListener("change", () => this.update());
  }

  onSubmit(id, action) {
    byId(id).addEventListener("submit", (event) => {
      event.preventDefault();
      action();
    });
  }

  open(address) {
    const node = this.state.nodes.get(address);
    if (!node) return;
    this.address = address;
    for (const what of ["rename", "bind", "unbind", "trace"]) this.say(`${what}-result`, "");
    byId("rename-value").value = node.label || "";
    byId("bind-value").value = typeof node.port === "number" && node.port ? node.port : "";
    byId("unbind-question").hidden = true;
    byId("unbind").hidden = false;
    const graph = new TrafficGraph(byId("node-traffic"), "Traffic of this node");
    this.watch?.stop();
    this.watch = new TrafficWatch(this.link, graph, address);
    this.update();
    this.showTracing();
    this.tracing.call().catch(() => {});
    this.dialog.showModal();
    // Not into the first field: on a phone that would open the keyboard over what is to be read.
    byId("node-title").focus();
  }

  update() {
    if (!this.address) return;
    const node = this.state.nodes.get(this.address);
    const problem = byId("node-problem");
    for (const button of this.dialog.querySelectorAll(".actions button")) button.disabled = !node;
    if (!node) {
      setText(problem, "The gateway does not know this node any more.");
      problem.hidden = false;
      return;
    }
    setText(byId("node-title"), format.nodeName(node));
    setText(byId("node-address"), node.address);
    setText(problem, node.problem || "");
    problem.hidden = !node.problem;
    byId("unbind").disabled = !node.port;
    byId("open-terminal").disabled = !node.port;
    this.facts.show([
      ["Node identifier", node.name && node.name !== node.label ? node.label : ""],
      ["State", node.problem ? "" : format.nodeState(node)],
      ["Port", this.portText(node)],
      ["Clients", format.count(node.clients || 0)],
      ["Type", format.typeText(node)],
      ["Device", node.device || node.device_type],
      ["16-bit address", node.short],
      ["Parent", node.parent && node.parent !== "fffe" ? this.nameOf(node.parent) : ""],
      ["Way to it", this.wayText(node)],
      ["Signal", this.signalText(node)],
      ["Temperature", format.temperature(node.temperature)],
      ["Last seen", this.seenText(node)],
      ["Received", this.amount(node.bytes_received, node.packets_received)],
      ["Sent", this.amount(node.bytes_sent, node.packets_sent)],
      ["Retries", format.count(node.retries || 0)],
      ["Failures", format.count(node.failures || 0)],
      ["Lost", format.bytes(node.bytes_lost || 0)],
      ["Waiting", format.bytes(node.queued || 0)],
    ]);
  }

  portText(node) {
    if (!node.port) return "none";
    return node.by_hand ? `${node.port}, chosen by hand` : String(node.port);
  }

  nameOf(short) {
    if (short === "0000") return "the coordinator";
    for (const node of this.state.nodes.values()) {
      if (node.short === short) return format.nodeName(node);
    }
    return short;
  }

  wayText(node) {
    if (!node.route) return "";
    const names = [...node.route].reverse().map((short) => this.nameOf(short));
    return names.length ? `through ${names.join(", then ")}` : "direct";
  }

  signalText(node) {
    const text = format.signal(node.signal);
    return text && `${text} (${format.STRENGTHS[format.bars(node.signal)]}), over the last hop`;
  }

  seenText(node) {
    const moment = format.moment(node.last_seen);
    return moment ? `${format.ago(node.last_seen)} (${moment})` : "never";
  }

  amount(bytes, packets) {
    return `${format.bytes(bytes || 0)} in ${format.counted(packets || 0, "packet")}`;
  }

  // --- What is done to it ----------------------------------------------------------------------

  say(id, text, isError = false) {
    const place = byId(id);
    place.classList.toggle("error", isError);
    setText(place, text);
  }

  async run(id, button, words, name, args) {
    // Not `disabled`, which would take the focus away.
    if (button.getAttribute("aria-disabled") === "true") return false;
    button.setAttribute("aria-disabled", "true");
    this.say(id, words);
    const { address } = this;
    let text = "Done.";
    let failed = false;
    try {
      await this.link.call(name, args);
    } catch (fault) {
      text = fault.message;
      failed = true;
    }
    button.removeAttribute("aria-disabled");
    // Another node's dialog may be open by now.
    if (address === this.address) {
      this.say(id, text, failed);
      this.update();
    }
    return !failed;
  }

  rename() {
    const button = byId("rename-form").querySelector("button");
    const label = byId("rename-value").value;
    const words = "Writing the name to the node…";
    this.run("rename-result", button, words, "rename", [this.address, label]);
  }

  bind() {
    const button = byId("bind-form").querySelector("button");
    const text = byId("bind-value").value.trim();
    if (!/^\d{1,9}$/.test(text)) {
      const sentence = `“${text}” is no TCP port: write a number from 1 to 65535.`;
      this.say("bind-result", sentence, true);
      return;
    }
    this.run("bind-result", button, "Opening the port…", "bind", [this.address, Number(text)]);
  }

  askUnbind() {
    const node = this.state.nodes.get(this.address);
    if (!node) return;
    const name = format.nodeName(node);
    const clients = format.counted(node.clients || 0, "client");
    setText(
      byId("unbind-text"),
      `Close port ${node.port} and forget that it was the port of ${name}?` +
        (node.clients ? ` ${clients} will be disconnected.` : ""),
    );
    this.say("unbind-result", "");
    byId("unbind-question").hidden = false;
    byId("unbind").hidden = true;
    byId("unbind-no").focus();
  }

  closeQuestion() {
    byId("unbind-question").hidden = true;
    byId("unbind").hidden = false;
    byId("unbind").focus();
  }

  showTracing() {
    if (this.address) this.tracing.show(byId("trace-node"), this.address, "its frames");
  }

  async trace() {
    const { address } = this;
    let text = "";
    let failed = false;
    try {
      await this.tracing.switch(address);
      text = this.tracing.isOn(address) ? "Its frames are in the log from now on." : "";
    } catch (fault) {
      text = fault.message;
      failed = true;
    }
    if (address === this.address) this.say("trace-result", text, failed);
  }

  async unbind() {
    const button = byId("unbind-yes");
    await this.run("unbind-result", button, "Closing the port…", "unbind", [this.address]);
    byId("unbind-question").hidden = true;
    byId("unbind").hidden = false;
    // What had the focus is gone.
    byId("node-title").focus();
  }
}
