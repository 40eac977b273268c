// The head of the page: how the radio is, and, folded away behind that, all that is known of it and
// of the gateway; what is wrong with either; and how many warnings the log has that nobody saw.

import { byId, Facts, setAttribute, setText } from "./dom.js";
import { count, moment } from "./format.js";
import { place } from "./place.js";
import { TrafficGraph, TrafficWatch } from "./traffic.js";

/** More warnings than that are not counted. */
const MOST = 99;

function showProblem(id, text) {
  const problem = byId(id);
  setText(problem, text || "");
  problem.hidden = !text;
}

/** The PAN without its leading zeros. */
function panText(radio) {
  return (radio.pan || "").replace(/^0+(?=.)/, "");
}

function openTo(gateway) {
  return gateway.interface_local === false ? "other computers" : "this computer only";
}

export class Head {
  constructor(state, link) {
    this.state = state;
    this.link = link;
    this.facts = new Facts(byId("radio-facts"));
    this.seen = 0;
    state.addEventListener("change", () => this.show());
    link.addEventListener("up", () => this.show());
    link.addEventListener("down", () => this.showPill("waiting", "no connection"));
    place.addEventListener("change", () => this.showBadge());
    byId("facts-menu").addEventListener("toggle", () => this.showGraph());
  }

  showPill(kind, text) {
    const pill = byId("radio-pill");
    setAttribute(pill, "class", `pill ${kind}`);
    setText(pill, text);
  }

  show() {
    const { gateway, radio } = this.state;
    const reaches = radio.up && radio.joined;
    const how = reaches ? "radio up" : radio.up ? "radio joining" : "radio down";
    if (this.link.up) this.showPill(reaches ? "good" : "bad", how);
    document.title = `${reaches ? "" : `${how} · `}${location.host} · zbtwist`;
    showProblem("radio-problem", reaches ? "" : radio.problem);
    showProblem("gateway-problem", gateway.problem);
    this.showLine(gateway, radio);
    this.facts.show([
      ["Link", radio.name, "widest"],
      ["Address", radio.address, "wide"],
      ["Firmware", radio.firmware],
      ["Hardware", radio.hardware],
      ["PAN", panText(radio), "wide"],
      ["Channel", radio.channel ? String(radio.channel) : ""],
      ["API mode", radio.api_mode ? String(radio.api_mode) : ""],
      ["Gateway", location.host, "wide"],
      ["Version", gateway.version],
      ["Clients", gateway.clients === undefined ? "" : count(gateway.clients)],
      ["Running since", moment(gateway.started), "wide"],
      ["Open to", gateway.version ? openTo(gateway) : "", "wide"],
      ["Mappings are kept in", gateway.state, "widest"],
    ]);
    this.showBadge();
  }

  /** What fits into a line. */
  showLine(gateway, radio) {
    const parts = [radio.name];
    const pan = panText(radio);
    if (pan) parts.push(`PAN ${pan.length > 4 ? `…${pan.slice(-4)}` : pan}`);
    if (radio.channel) parts.push(`channel ${radio.channel}`);
    if (gateway.version) parts.push(openTo(gateway));
    setText(byId("radio-line"), parts.filter(Boolean).join(" · "));
  }

  /** Count the warnings that came since the log was looked at. */
  showBadge() {
    const { warnings = 0 } = this.state.gateway;
    // The gateway has started anew.
    if (warnings < this.seen) this.seen = 0;
    if (place.get("view") === "log") this.seen = warnings;
    const fresh = warnings - this.seen;
    const badge = byId("log-badge");
    setText(badge, fresh > MOST ? `${MOST}+` : fresh ? String(fresh) : "");
    setText(byId("log-badge-words"), fresh ? "warnings and errors not looked at" : "");
  }

  /** The last hour is drawn only while somebody sees it. */
  showGraph() {
    this.watch?.stop();
    this.watch = null;
    if (!byId("facts-menu").open) return;
    const graph = new TrafficGraph(byId("traffic-all"), "Traffic of all nodes");
    this.watch = new TrafficWatch(this.link, graph, "");
  }
}
