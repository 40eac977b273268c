// The picture of the network: who hangs on whom, and how well they hear each other; and the same as
// a list, for those who cannot see it or prefer to read.
//
// It is drawn anew only when the shape of the network changes. What else changes is written into
// what is there. Nothing is drawn while the picture is not shown.

import { byId, element, setAttribute, setText, svg } from "./dom.js";
import * as format from "./format.js";
import { arrange, childrenOf, tree } from "./layout.js";

/** How many nodes are drawn at most. */
const MAXIMUM_NODES = 500;

/** With more nodes than this the signals stand at the nodes' titles and no longer at the links. */
const FEW_NODES = 40;

/** Below this scale the names of many nodes cannot be read, and are not shown. */
const FAR = 0.45;

const LARGE = { width: 112, height: 58, start: 118, step: 96 };
const SMALL = { width: 66, height: 36, start: 62, step: 44 };

const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

function shortened(text, length) {
  const letters = [...text];
  return letters.length > length ? `${letters.slice(0, length - 1).join("")}…` : text;
}

function describe(node, link, parentName) {
  const parts = [format.typeText(node)];
  if (node.device) parts.push(node.device);
  if (!link.known) parts.push("way not known yet");
  else parts.push(link.parent ? `through ${parentName}` : "direct");
  if (format.signal(node.signal)) {
    const hop = link.parent ? " over the last hop" : "";
    const strength = format.STRENGTHS[format.bars(node.signal)];
    parts.push(`${format.signal(node.signal)}${hop}, ${strength}`);
  }
  if (node.problem) parts.push(node.problem);
  return parts.filter(Boolean).join(" · ");
}

export class Picture {
  /** @param onOpen: called with the address of the node that was chosen. */
  constructor(state, onOpen) {
    this.state = state;
    this.onOpen = onOpen;
    this.shown = false;
    this.shape = null;
    this.scale = 1;
    this.frame = byId("picture-frame");
    this.parts = new Map();
    this.items = new Map();
    byId("zoom-in").addEventListener("click", () => this.zoom(this.scale * 1.25));
    byId("zoom-out").addEventListener("click", () => this.zoom(this.scale / 1.25));
    byId("zoom-fit").addEventListener("click", () => this.fit());
    byId("tree-details").addEventListener("toggle", () => this.update());
    state.addEventListener("change", () => this.update());
    this.makeLegend();
  }

  makeLegend() {
    const entry = (sign, text) =>
      byId("legend").append(
        element("li", {}, svg("svg", { viewBox: "0 0 28 16", "aria-hidden": "true" }, sign), text),
      );
    const square = { x: 8, y: 2, width: 12, height: 12, rx: 3, class: "coordinator" };
    entry(svg("rect", square), "coordinator");
    entry(svg("circle", { cx: 14, cy: 8, r: 6, class: "router" }), "router");
    entry(svg("circle", { cx: 14, cy: 8, r: 5, class: "end" }), "end device");
    entry(svg("circle", { cx: 14, cy: 8, r: 6, class: "router bad" }), "has a problem");
    for (const [strength, words] of [
      ["strong", "to −60 dBm"],
      ["good", "to −70 dBm"],
      ["fair", "to −80 dBm"],
      ["weak", "below"],
      ["unknown", "signal not known"],
      ["guessed", "way not known"],
    ]) {
      const line = svg("line", { x1: 1, x2: 27, y1: 8, y2: 8, class: `link ${strength}` });
      entry(line, words);
    }
  }

  show(shown) {
    this.shown = shown;
    this.shape = null;
    if (shown) this.update();
  }

  nodes() {
    const nodes = [...this.state.nodes.values()];
    nodes.sort((one, other) => collator.compare(format.nodeName(one), format.nodeName(other)));
    return nodes.slice(0, MAXIMUM_NODES);
  }

  update() {
    if (!this.shown) return;
    const nodes = this.nodes();
    const links = tree(nodes);
    const narrow = this.frame.clientWidth < 600;
    const parents = [...links].map(([address, link]) => [address, link.parent]);
    const shape = JSON.stringify([narrow, parents]);
    if (shape !== this.shape) {
      this.shape = shape;
      this.draw(nodes, links, narrow);
    }
    for (const node of nodes) this.updateNode(node, links.get(node.address));
    this.summarize(nodes, links);
    if (byId("tree-details").open) this.updateList(nodes, links);
  }

  draw(nodes, links, narrow) {
    const few = nodes.length <= FEW_NODES;
    const size = few ? LARGE : SMALL;
    this.few = few;
    const layout = arrange(childrenOf(links), { ...size, aspect: narrow ? 0.9 : 1.5 });
    const lines = svg("g");
    const dots = svg("g");
    this.parts.clear();
    for (const node of nodes) {
      const place = layout.places.get(node.address);
      const from = layout.places.get(links.get(node.address).parent);
      // From the node to the middle: dashes of many that began in the middle would make rings.
      const line = svg("line", { x1: place.x, y1: place.y, x2: from.x, y2: from.y });
      lines.append(line);
      const part = this.makeNode(node.address, place, few);
      part.line = line;
      if (few) {
        part.level = svg("text", {
          class: "level",
          x: from.x + (place.x - from.x) * 0.52,
          y: from.y + (place.y - from.y) * 0.52 + 4,
        });
        dots.append(part.level);
      }
      dots.append(part.group);
      this.parts.set(node.address, part);
    }
    const half = few ? 13 : 9;
    const square = { x: -half, y: -half, width: 2 * half, height: 2 * half, rx: 5 };
    dots.append(
      svg("rect", { ...square, class: "coordinator" }),
      svg("text", { x: 0, y: half + 15, class: "name" }, "coordinator"),
    );
    // Somebody may look at a part of it: what is drawn anew is shown as the old one was.
    const isFirst = !this.layout || this.kind !== `${few} ${narrow}`;
    this.kind = `${few} ${narrow}`;
    this.layout = layout;
    this.image = svg(
      "svg",
      {
        class: few ? "network" : "network many",
        viewBox: [layout.left, layout.top, layout.width, layout.height].map(Math.round).join(" "),
        role: "img",
        "aria-labelledby": "picture-text",
      },
      lines,
      dots,
    );
    this.frame.replaceChildren(this.image);
    this.zoom(isFirst ? this.legible(few) : this.scale);
    if (isFirst) this.center();
  }

  makeNode(address, place, few) {
    const radius = few ? 10 : 6;
    const title = svg("title");
    const dot = svg("circle", { cx: place.x, cy: place.y, r: radius });
    const name = svg("text", { x: place.x, y: place.y + radius + (few ? 16 : 12), class: "name" });
    const group = svg("g", { class: "node" }, title, dot, name);
    group.addEventListener("click", () => this.onOpen(address));
    return { group, title, dot, name };
  }

  updateNode(node, link) {
    const part = this.parts.get(node.address);
    const name = format.nodeName(node);
    const parent = link.parent ? format.nodeName(this.state.nodes.get(link.parent)) : "";
    setText(part.title, `${name}: ${describe(node, link, parent)}`);
    setText(part.name, shortened(name, this.few ? 16 : 10));
    const kind = node.type === "end" ? "end" : "router";
    setAttribute(part.dot, "class", node.problem ? `${kind} bad` : kind);
    // What our radio measures is the last hop: of a node that others relay, another link.
    const measured = link.parent ? null : node.signal;
    const strength = format.STRENGTHS[format.bars(measured)];
    setAttribute(part.line, "class", link.known ? `link ${strength}` : `link ${strength} guessed`);
    if (part.level) setText(part.level, format.signal(measured));
  }

  summarize(nodes, links) {
    const all = this.state.nodes.size;
    let direct = 0;
    let unknown = 0;
    for (const link of links.values()) {
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

  updateList(nodes, links) {
    const names = new Map(nodes.map((node) => [node.address, node]));
    const children = childrenOf(links);
    const shape = `${this.shape}`;
    if (shape !== this.listShape) {
      this.listShape = shape;
      this.items.clear();
      const list = (address) => {
        const items = (children.get(address) || []).map((child) => {
          const button = element("button", { type: "button", class: "link" });
          button.addEventListener("click", () => this.onOpen(child));
          const text = element("span", { class: "muted" });
          this.items.set(child, { button, text });
          const item = element("li", {}, button, " ", text);
          if (children.has(child)) item.append(list(child));
          return item;
        });
        return element("ul", {}, ...items);
      };
      byId("tree").replaceChildren(element("p", {}, "Coordinator"), list(""));
    }
    for (const [address, { button, text }] of this.items) {
      const node = names.get(address);
      const link = links.get(address);
      const parent = link.parent ? format.nodeName(names.get(link.parent)) : "";
      setText(button, format.nodeName(node));
      setText(text, describe(node, link, parent));
    }
  }

  /** The scale to begin with: all of it, if that can be read. */
  legible(few) {
    const fitting = Math.min(this.fitting(), few ? 1.15 : 1);
    return fitting >= 0.7 ? fitting : 0.85;
  }

  /** Scroll to the coordinator. */
  center() {
    const { frame, layout, scale } = this;
    frame.scrollLeft = -layout.left * scale - frame.clientWidth / 2;
    frame.scrollTop = -layout.top * scale - frame.clientHeight / 2;
  }

  /** The scale at which all of it is seen. */
  fitting() {
    const { frame, layout } = this;
    const style = getComputedStyle(frame);
    const border = parseFloat(style.borderTopWidth) * 2;
    // The room that there is without bars to scroll by. The frame is as high as what is in it, to a
    // limit.
    const width = frame.offsetWidth - border;
    const height = parseFloat(style.maxHeight) - border;
    return Math.min(width / layout.width, height / layout.height);
  }

  fit() {
    if (!this.layout) return;
    this.zoom(this.fitting());
    this.frame.scrollIntoView({ block: "nearest" });
  }

  zoom(scale) {
    if (!this.layout) return;
    const { frame } = this;
    this.scale = Math.min(3, Math.max(0.05, scale));
    // What is in the middle stays there.
    const across = (frame.scrollLeft + frame.clientWidth / 2) / (frame.scrollWidth || 1);
    const down = (frame.scrollTop + frame.clientHeight / 2) / (frame.scrollHeight || 1);
    this.image.classList.toggle("far", !this.few && this.scale < FAR);
    this.image.setAttribute("width", Math.floor(this.layout.width * this.scale));
    this.image.setAttribute("height", Math.floor(this.layout.height * this.scale));
    frame.scrollLeft = across * frame.scrollWidth - frame.clientWidth / 2;
    frame.scrollTop = down * frame.scrollHeight - frame.clientHeight / 2;
  }
}
