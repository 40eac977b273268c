// How a node is reached, what passed, who is connected to it, and what can be tried.

import { ask, resultLine, work } from "./asking.js";
import { element, Facts, setText } from "./dom.js";
import * as format from "./format.js";
import { PanelActions } from "./panel-actions.js";
import { Neighbours } from "./panel-neighbours.js";
import { signalBars } from "./signal.js";
import { TrafficGraph, TrafficWatch } from "./traffic.js";

/** How long something has been so, in words. */
function duration(seconds) {
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h`;
  return format.counted(Math.floor(seconds / 86400), "day");
}

export class OverviewTab {
  constructor(subject) {
    this.subject = subject;
    const facts = element("dl", { class: "facts", id: "node-facts" });
    this.facts = new Facts(facts);
    this.way = new Way(subject);
    this.clients = new Clients(subject);
    this.neighbours = new Neighbours(subject);
    this.actions = new PanelActions(subject);
    this.told = new Facts(element("dl", { class: "facts", id: "node-values" }));
    this.toldPart = element(
      "section",
      { "aria-label": "What it has told" },
      element("h3", {}, "What it has told"),
      this.told.list,
    );
    const traffic = element("div", { id: "node-traffic" });
    this.graph = new TrafficGraph(traffic, "Traffic of this node");
    this.element = element(
      "div",
      {},
      facts,
      element("h3", {}, "Way to it"),
      this.way.element,
      element("h3", {}, "Try"),
      this.actions.element,
      element("h3", {}, "Clients"),
      this.clients.element,
      this.toldPart,
      this.neighbours.element,
      element("h3", {}, "Traffic"),
      traffic,
    );
    subject.addEventListener("change", () => this.update());
    this.update();
  }

  show() {
    this.watch ||= new TrafficWatch(this.subject.link, this.graph, this.subject.address);
  }

  hide() {
    this.watch?.stop();
    this.watch = null;
  }

  update() {
    const { values: node, details } = this.subject;
    // What was known of a node that is forgotten stays to be read.
    this.actions.update();
    this.clients.update();
    this.neighbours.update();
    if (!node) return;
    this.facts.show([
      ["Signal", this.signalText(node)],
      ["Heard", format.ago(node.last_seen)],
      ["State", node.problem ? "" : format.nodeState(node)],
      ["From it", this.amount(node.bytes_received, node.packets_received)],
      ["To it", this.amount(node.bytes_sent, node.packets_sent)],
      ["Lost", this.lostText(node)],
      ["Sent again", node.retries ? format.count(node.retries) : ""],
      ["Waiting", node.queued ? format.bytes(node.queued) : ""],
      ["Kept for the next client", details?.kept ? format.bytes(details.kept) : ""],
      ["Port", node.port && node.by_hand ? `${node.port}, chosen by hand` : ""],
      ["Temperature", format.temperature(node.temperature)],
      ["16-bit address", node.short],
      ["Parent", this.parentText(node)],
    ]);
    this.way.update();
    this.showTold(details?.values || []);
  }

  /** What its decoder has made of what it said. */
  showTold(values) {
    this.toldPart.hidden = values.length === 0;
    this.told.show(values.map(({ name, value, unit }) => [name, format.value(value, unit)]));
  }

  signalText(node) {
    const text = format.signal(node.signal);
    return text ? `${text}, ${format.STRENGTHS[format.bars(node.signal)]}` : "not known";
  }

  amount(bytes, packets) {
    return packets
      ? `${format.bytes(bytes || 0)} in ${format.counted(packets, "packet")}`
      : "nothing yet";
  }

  lostText(node) {
    if (!node.failures) return "nothing";
    const bytes = node.bytes_lost ? `, ${format.bytes(node.bytes_lost)}` : "";
    return `${format.counted(node.failures, "packet")}${bytes}`;
  }

  parentText(node) {
    if (!node.parent || node.parent === "fffe") return "";
    if (node.parent === "0000") return "the coordinator";
    for (const other of this.subject.state.nodes.values()) {
      if (other.short === node.parent) return format.nodeName(other);
    }
    return node.parent;
  }
}

/** The nodes that its packets come over, the gateway first, with the signals that are known. */
class Way {
  constructor(subject) {
    this.subject = subject;
    this.list = element("ol", { class: "way", id: "node-way" });
    this.none = element("p", { class: "muted" });
    this.element = element("div", {}, this.list, this.none);
  }

  update() {
    const { values: node, details } = this.subject;
    const isKnown = Boolean(details && details.hops > 0);
    this.list.hidden = !isKnown;
    this.none.hidden = isKnown || !details;
    setText(this.none, "Not known: no packet of it came with a record of its way yet.");
    if (!isKnown) return;
    // Made anew only if it is another way, or a signal is another one.
    const said = JSON.stringify([details.route, node.signal, this.subject.name]);
    if (said === this.said) return;
    this.said = said;
    const relays = details.route.map((hop) => this.relay(hop));
    // The radio measures how strongly it hears its neighbour, whoever's packet it relays.
    const stops = [...relays, element("strong", {}, this.subject.name)];
    this.list.replaceChildren(
      element("li", {}, element("span", {}, "gateway")),
      ...stops.map((stop, at) => element("li", {}, this.hop(at ? null : node.signal), stop)),
    );
  }

  relay(hop) {
    const address = format.plainAddress(hop.addr_extended);
    const name = hop.name || hop.label || address || format.plainAddress(hop.addr_short);
    return address && this.subject.state.nodes.has(address)
      ? this.subject.nodeLink(address, name)
      : element("span", {}, name);
  }

  hop(signal) {
    const isKnown = signal !== null && signal !== undefined;
    const bars = signalBars();
    bars.show(isKnown ? signal : null);
    const text = isKnown ? format.signal(signal) : "signal not known";
    return element("span", { class: "hop muted" }, "→ ", bars.image, text);
  }
}

/** Who is connected to its port. */
class Clients {
  constructor(subject) {
    this.subject = subject;
    this.list = element("ul", { class: "clients", id: "node-clients" });
    this.none = element("p", { class: "muted" }, "Nobody is connected to its port.");
    this.questions = element("div");
    this.result = resultLine("client-result");
    this.rows = new Map();
    this.element = element("div", {}, this.list, this.none, this.questions, this.result);
  }

  update() {
    const clients = this.subject.details?.clients || [];
    this.none.hidden = clients.length > 0 || !this.subject.details;
    const gone = new Set(this.rows.keys());
    for (const client of clients) {
      gone.delete(client.peer);
      let row = this.rows.get(client.peer);
      if (!row) {
        row = this.makeRow(client.peer);
        this.rows.set(client.peer, row);
        this.list.append(row.line);
      }
      const unsent = client.unsent ? `, ${format.bytes(client.unsent)} not read yet` : "";
      const ended = client.ended ? ", writes no more" : "";
      setText(row.text, `for ${duration(client.seconds)}${unsent}${ended}`);
      row.button.hidden = this.subject.isOff;
    }
    for (const peer of gone) {
      this.rows.get(peer).line.remove();
      this.rows.delete(peer);
    }
  }

  makeRow(peer) {
    const text = element("span", { class: "muted" });
    const button = element("button", { type: "button", class: "small" }, "Disconnect…");
    button.setAttribute("aria-label", `Disconnect ${peer}…`);
    button.addEventListener("click", async () => {
      const question = `Disconnect ${peer}? What it wrote and was not sent yet is dropped.`;
      if (!(await ask(this.questions, question, "Disconnect", { id: "disconnect" }))) return;
      await work(button, this.result, "Disconnecting it…", async () => {
        await this.subject.link.call("disconnect", [peer]);
        this.subject.refresh();
        return `${peer} was disconnected.`;
      });
    });
    const line = element("li", {}, element("span", { class: "address" }, peer), " ", text, button);
    return { line, text, button };
  }
}
