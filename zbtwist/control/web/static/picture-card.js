// What is said of the node whose way is lit: the way with the signal of each hop, and what is to be
// known at a glance.

import { byId, element, setText } from "./dom.js";
import * as format from "./format.js";
import { boxOf, healthReason, healthText } from "./health.js";
import { qualityOf } from "./picture-neighbours.js";

export class Card {
  /** @param handlers: onOpen and onAsk, called with the node's address. */
  constructor(state, neighbours, handlers) {
    this.state = state;
    this.neighbours = neighbours;
    this.box = byId("picture-card");
    this.address = "";
    byId("card-open").addEventListener("click", () => handlers.onOpen(this.address));
    byId("card-ask").addEventListener("click", () => handlers.onAsk(this.address));
  }

  /** How well each hop of a way is heard, from the coordinator on: by our radio, or as a neighbour
   * has told. `text` and `strength`, see `Scene.light`. */
  levels(address, ways) {
    let before = "";
    return ways.of(address).map((hop, index) => {
      const signal = index || !hop.address ? null : this.state.nodes.get(hop.address).signal;
      const lqi =
        before === undefined || !hop.address
          ? undefined
          : this.neighbours.between(before, hop.address);
      before = hop.address;
      if (format.signal(signal)) {
        return { text: format.signal(signal), strength: format.STRENGTHS[format.bars(signal)] };
      }
      return lqi === undefined ? {} : { text: `LQI ${lqi}`, strength: qualityOf(lqi) };
    });
  }

  show(address, ways) {
    this.address = address;
    const node = this.state.nodes.get(address);
    const link = ways.links.get(address);
    this.box.hidden = !node || !link;
    if (this.box.hidden) return;
    setText(byId("card-name"), format.nodeName(node));
    const pill = byId("card-health");
    pill.className = `pill ${boxOf(node)}`;
    setText(pill, healthText(node));
    this.showWay(address, ways);
    const facts = [];
    if (link.known) facts.push(format.counted(ways.hops.get(address), "hop"));
    else facts.push("way not known yet");
    if (format.signal(node.signal)) facts.push(`last hop ${format.signal(node.signal)}`);
    const packets = node.packets_sent + node.failures;
    if (node.failures)
      facts.push(`${format.count(node.failures)} of ${format.counted(packets, "packet")} lost`);
    setText(byId("card-facts"), facts.join(" · "));
    setText(byId("card-why"), healthReason(node));
    byId("card-ask").hidden = node.type === "end";
  }

  /** Stand elsewhere if it stands on the node that it is about.
   *
   * @param dot: that node, in the picture. */
  giveWay(dot) {
    this.box.classList.remove("away");
    if (this.box.hidden || !dot) return;
    const own = this.box.getBoundingClientRect();
    const { left, top, right, bottom } = dot.getBoundingClientRect();
    const isOnIt =
      left < own.right && right > own.left && top < own.bottom && bottom > own.top;
    this.box.classList.toggle("away", isOnIt);
  }

  showWay(address, ways) {
    const levels = this.levels(address, ways);
    const parts = ["coordinator"];
    for (const [index, hop] of ways.of(address).entries()) {
      const node = this.state.nodes.get(hop.address);
      const name = node ? format.nodeName(node) : hop.short;
      const { text } = levels[index];
      parts.push(element("span", { class: "hop" }, text ? ` — ${text} → ` : " → "));
      parts.push(hop.address === address ? element("b", {}, name) : name);
    }
    const place = byId("card-way");
    const text = parts.map((part) => part.textContent ?? part).join("");
    // What is the same is not written anew: somebody may be marking it.
    if (place.textContent !== text) place.replaceChildren(...parts);
  }

  hide() {
    this.box.hidden = true;
    this.address = "";
  }
}
