// The picture of the network: who hangs on whom, how the nodes are, and how well they hear each
// other; and the same as a list. Nothing is drawn while it is not seen.
//
// Its parts: layout.js says where a node stands, picture-scene.js draws, picture-camera.js says
// which part is seen, picture-neighbours.js knows who hears whom.

import { byId, element, setAttribute, setText, svg } from "./dom.js";
import * as format from "./format.js";
import { boxOf } from "./health.js";
import { MAXIMUM_NODES, Ways } from "./layout.js";
import { Camera } from "./picture-camera.js";
import { Card } from "./picture-card.js";
import { NetworkList } from "./picture-list.js";
import { NeighbourLinks } from "./picture-neighbours.js";
import { savePng } from "./picture-png.js";
import { Scene } from "./picture-scene.js";
import { place } from "./place.js";
import { haystack } from "./row.js";

/** Milliseconds for which a way stays lit when the pointer has left the node: it may be on its way
 * to the card. */
const LINGER = 700;

/** With more nodes than this, names at the edge are not given room of their own. */
const FEW = 60;

const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

export class Picture {
  /** @param onOpen: called with the address of the node that was chosen.
   *  @param link: to the gateway; without it nobody can be asked for neighbours. */
  constructor(state, onOpen, link = null) {
    this.state = state;
    this.onOpen = onOpen;
    this.shown = false;
    this.ways = new Ways();
    this.frame = byId("picture-frame");
    this.scene = new Scene();
    this.camera = new Camera(this.frame, () => this.planLook());
    this.neighbours = new NeighbourLinks(state, link);
    this.card = new Card(state, this.neighbours, {
      onOpen,
      onAsk: (address) => this.neighbours.askNode(address),
    });
    this.list = new NetworkList(onOpen);
    /** Whose way is lit, and whether it stays so when the pointer leaves. */
    this.lit = "";
    this.isPinned = false;
    this.frame.prepend(this.scene.image);
    byId("zoom-in").addEventListener("click", () => this.camera.zoom(1.25));
    byId("zoom-out").addEventListener("click", () => this.camera.zoom(0.8));
    byId("zoom-fit").addEventListener("click", () => this.fit());
    byId("picture-png").addEventListener("click", () => this.save());
    byId("tree-details").addEventListener("toggle", () => this.update());
    this.neighbours.addEventListener("change", () => this.showNeighbours());
    state.addEventListener("change", (event) => this.update(event.detail.changed));
    this.follow();
    this.makeFind();
    this.makeLegend();
  }

  get links() {
    return this.ways.links;
  }

  // --- What is drawn -----------------------------------------------------------------------------

  show(shown) {
    this.shown = shown;
    this.neighbours.show(shown);
    if (shown) this.update();
  }

  nodes() {
    const nodes = [...this.state.nodes.values()];
    if (nodes.length <= MAXIMUM_NODES) return nodes;
    nodes.sort((one, other) => collator.compare(format.nodeName(one), format.nodeName(other)));
    return nodes.slice(0, MAXIMUM_NODES);
  }

  /** @param changed: addresses of nodes of which something is new; null for all. */
  update(changed = null) {
    if (!this.shown) return;
    const nodes = this.nodes();
    this.ways = new Ways(nodes);
    // What was not looked at meanwhile may all be new.
    this.scene.update(nodes, this.ways, this.isCurrent ? changed : null);
    this.isCurrent = true;
    if (this.lit && !this.links.has(this.lit)) this.light("");
    this.showFound();
    this.showNeighbours();
    if (this.lit) this.card.show(this.lit, this.ways);
    if (!this.camera.isChosen) this.fitOnce(nodes.length);
    this.planLook();
    this.giveTabStop();
    this.summarize(nodes);
    if (byId("tree-details").open) this.list.update(nodes, this.links);
  }

  /** Show all, as long as nobody has chosen what is seen; again only if the window is another or
   * something is outside. */
  fitOnce(count) {
    const { bounds } = this.scene;
    const { left, top, width, height } = this.camera.box;
    const isOutside =
      bounds.left < left ||
      bounds.top < top ||
      bounds.left + bounds.width > left + width ||
      bounds.top + bounds.height > top + height;
    const size = `${this.camera.width} ${this.camera.height}`;
    if (!count || (size === this.fittedTo && !isOutside)) return;
    this.fittedTo = size;
    this.camera.fit(bounds, this.margin);
  }

  get margin() {
    return this.links.size <= FEW ? { x: 64, y: 44 } : { x: 22, y: 26 };
  }

  fit() {
    this.camera.isChosen = false;
    this.camera.fit(this.scene.bounds, this.margin);
    this.look();
    this.frame.scrollIntoView({ block: "nearest" });
  }

  planLook() {
    this.planned ??= requestAnimationFrame(() => this.look());
  }

  look() {
    cancelAnimationFrame(this.planned);
    this.planned = null;
    if (this.camera.width) this.scene.look(this.camera.box, this.camera.scale);
  }

  showNeighbours() {
    if (!this.shown) return;
    const { image } = this.scene;
    image.classList.toggle("with-neighbours", this.neighbours.isOn);
    this.neighbours.draw(this.scene);
    if (this.lit) {
      this.scene.light(this.lit, this.card.levels(this.lit, this.ways));
      this.card.show(this.lit, this.ways);
    }
  }

  summarize(nodes) {
    const all = this.state.nodes.size;
    let direct = 0;
    let unknown = 0;
    for (const link of this.links.values()) {
      if (!link.known) unknown += 1;
      else if (!link.parent) direct += 1;
    }
    const text = [format.counted(nodes.length, "node")];
    if (all > nodes.length) text.push(`the first of ${format.count(all)}`);
    const indirect = nodes.length - direct - unknown;
    if (direct) text.push(`${format.count(direct)} direct`);
    if (indirect) text.push(`${format.count(indirect)} through others`);
    if (unknown) text.push(`${format.count(unknown)} by a way that is not known yet`);
    setText(byId("picture-text"), `${text.join(", ")}.`);
  }

  async save() {
    const now = new Date();
    const count = format.counted(this.links.size, "node");
    const title = `${location.host} · ${count} · ${now.toLocaleString()}`;
    await savePng(
      this.scene,
      title,
      `network-${now.toISOString().slice(0, 16).replace(/\D/g, "")}.png`,
    );
    setText(byId("found-text"), "The picture is saved.");
  }

  // --- Ways --------------------------------------------------------------------------------------

  /** Light the way of the node that the pointer or the keyboard is at. */
  follow() {
    const addressOf = (event) => event.target.closest?.(".node")?.dataset.address || "";
    const { dots } = this.scene;
    dots.addEventListener("pointerover", (event) => {
      if (event.pointerType !== "touch") this.light(addressOf(event));
    });
    dots.addEventListener("pointerout", () => this.leave());
    dots.addEventListener("click", (event) => {
      const address = addressOf(event);
      // A finger shows the way first, and opens the node when it comes again.
      const isFirstTouch = event.pointerType === "touch" && this.touched !== address;
      this.touched = address;
      this.light(address, true);
      if (!isFirstTouch) this.onOpen(address);
    });
    byId("picture-card").addEventListener("pointerenter", () => clearTimeout(this.leaving));
    byId("picture-card").addEventListener("pointerleave", () => this.leave());
    this.frame.addEventListener("click", (event) => {
      if (!event.target.closest(".node, .picture-card")) this.light("");
    });
    // Not of the dots: a part of a picture that hears of the focus can have it itself (Chromium).
    this.frame.addEventListener("focusin", (event) => {
      const address = addressOf(event);
      if (address) this.light(address, true);
    });
    this.frame.addEventListener("keydown", (event) => this.key(event));
  }

  light(address, isPinned = false) {
    clearTimeout(this.leaving);
    this.isPinned = isPinned && Boolean(address);
    if (address === this.lit) return;
    this.lit = address;
    const levels = address ? this.card.levels(address, this.ways) : [];
    this.scene.light(address, levels);
    if (address) this.card.show(address, this.ways);
    else this.card.hide();
    this.card.giveWay(this.scene.parts.get(address)?.group);
    this.neighbours.draw(this.scene);
  }

  leave() {
    clearTimeout(this.leaving);
    if (!this.isPinned) this.leaving = setTimeout(() => this.light(""), LINGER);
  }

  /** With a node in hand: arrows go to another one, Enter opens it. */
  key(event) {
    const address = event.target.dataset?.address;
    if (event.key === "Escape" && this.lit) {
      this.light("");
      if (address) this.frame.focus();
      event.stopPropagation();
      return;
    }
    if (!address) return;
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.onOpen(address);
      return;
    }
    const next = this.nextTo(address, event.key);
    if (!next) return;
    event.preventDefault();
    this.goTo(next);
  }

  /** The node that an arrow leads to: around the circle, toward the coordinator, or away. */
  nextTo(address, key) {
    const { parts } = this.scene;
    if (key === "ArrowUp") return this.links.get(address).parent;
    if (key === "ArrowDown") {
      return [...this.links].find(([, link]) => link.parent === address)?.[0];
    }
    const step = { ArrowRight: 1, ArrowLeft: -1 }[key];
    if (!step) return undefined;
    const order = [...parts.keys()].filter((each) => !parts.get(each).isLeft || each === address);
    order.sort((one, other) => parts.get(one).place.angle - parts.get(other).place.angle);
    return order[(order.indexOf(address) + step + order.length) % order.length];
  }

  /** Give the keyboard to a node. */
  goTo(address) {
    const part = this.scene.parts.get(address);
    this.tabStop = address;
    this.giveTabStop();
    const { left, top, width, height } = this.camera.box;
    const { x, y } = part.place;
    const isSeen = x > left && x < left + width && y > top && y < top + height;
    if (!isSeen) this.camera.goTo(part.place);
    part.group.focus({ preventScroll: true });
  }

  /** One node is reached with the Tab key, the others from there. */
  giveTabStop() {
    const { parts } = this.scene;
    if (!parts.has(this.tabStop)) this.tabStop = parts.keys().next().value;
    for (const [address, part] of parts) {
      setAttribute(part.group, "tabindex", address === this.tabStop ? "0" : "-1");
    }
  }

  // --- What is looked for ------------------------------------------------------------------------

  makeFind() {
    const field = byId("picture-find");
    field.addEventListener("input", () => place.set({ q: field.value }));
    field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !this.found?.length) return;
      event.preventDefault();
      this.at = ((this.at ?? -1) + 1) % this.found.length;
      const address = this.found[this.at];
      this.camera.goTo(this.scene.parts.get(address).place);
      this.light(address, true);
    });
    byId("only-problems").addEventListener("click", () => {
      const isOn = place.get("health") === "attention";
      place.set({ health: isOn ? null : "attention" });
    });
    document.addEventListener("keydown", (event) => {
      const isKey = event.key === "/" && !event.ctrlKey && !event.metaKey && !event.altKey;
      if (!isKey || !this.shown) return;
      if (event.target.closest("input, textarea, select, [contenteditable], dialog")) return;
      event.preventDefault();
      field.focus();
      field.select();
    });
    place.addEventListener("change", (event) => {
      if (["q", "health"].some((name) => event.detail.has(name))) this.showFound();
    });
  }

  /** Show what is looked for: by words, and by how nodes are. */
  showFound() {
    const text = place.get("q") || "";
    const health = place.get("health");
    const field = byId("picture-find");
    if (field.value.trim() !== text.trim()) field.value = text;
    setAttribute(byId("only-problems"), "aria-pressed", String(health === "attention"));
    if (!this.shown) return;
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    let found = null;
    if (words.length || health) {
      found = new Set();
      for (const address of this.links.keys()) {
        const node = this.state.nodes.get(address);
        if (health && boxOf(node) !== health) continue;
        const whole = words.length ? haystack(node) : "";
        if (words.every((word) => whole.includes(word))) found.add(address);
      }
    }
    const key = found && [...found].join();
    if (key !== this.foundKey) {
      this.foundKey = key;
      this.found = found && [...found];
      this.at = undefined;
    }
    this.scene.find(found, Boolean(health));
    const many =
      found &&
      (found.size ? `${format.counted(found.size, "node")} found.` : "No node is like that.");
    setText(byId("found-text"), many || "");
  }

  // --- The legend --------------------------------------------------------------------------------

  makeLegend() {
    const entry = (text, ...signs) =>
      byId("legend").append(
        element(
          "li",
          {},
          svg("svg", { viewBox: "0 0 28 16", "aria-hidden": "true" }, ...signs),
          text,
        ),
      );
    const dot = (kind, r = 5.5) =>
      svg("g", { class: `node ${kind}` }, svg("circle", { cx: 14, cy: 8, r, class: "dot" }));
    entry(
      "coordinator",
      svg("rect", { x: 8, y: 2, width: 12, height: 12, rx: 3, class: "coordinator" }),
    );
    entry("router", dot("router ok"));
    entry("end device", dot("end ok", 4.5));
    entry("needs attention", dot("router attention"));
    entry("weak", dot("router weak"));
    entry("not heard yet", dot("router unknown"));
    for (const [strength, words] of [
      ["strong", "to −60 dBm"],
      ["good", "to −70 dBm"],
      ["fair", "to −80 dBm"],
      ["weak", "below"],
      ["unknown", "signal not known"],
      ["guessed", "way not known"],
    ]) {
      entry(words, svg("path", { d: "M1 8H27", class: `link ${strength}` }));
    }
    entry("hears (LQI)", svg("path", { d: "M1 8H27", class: "neighbour good" }));
  }
}
