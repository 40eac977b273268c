// What is drawn: rings, the links, the nodes and their names. Every node keeps its elements from
// one update to the next; only what is another is written.

import { setAttribute, setText, svg } from "./dom.js";
import * as format from "./format.js";
import { boxOf, healthText } from "./health.js";
import { between, MIDDLE, pathOf, Places, Ways } from "./layout.js";
import { describe, measured, shortened } from "./picture-words.js";

/** Letters of a name, and pixels: of a line, of a dot. */
const LETTERS = 16;
const LINE = 15;
const DOT = { router: 6.5, end: 5, coordinator: 11 };

/** Above this scale dots grow no more, and below the other they shrink no more. */
const LARGE = 1.3;
const SMALL = 0.45;

let ruler = null;

/** How wide a text is, in pixels. */
function widthOf(text) {
  if (!ruler) {
    ruler = document.createElement("canvas").getContext("2d");
    // As wide as those get that matter most.
    ruler.font = `600 12px ${getComputedStyle(document.body).fontFamily}`;
  }
  return ruler.measureText(text).width;
}

export class Scene {
  constructor() {
    this.places = new Places();
    this.parts = new Map();
    this.ways = new Ways();
    this.lit = "";
    this.scale = 1;
    this.rings = svg("g", { class: "rings", "aria-hidden": "true" });
    this.neighbours = svg("g", { class: "neighbours", "aria-hidden": "true" });
    this.lines = svg("g", { class: "links", "aria-hidden": "true" });
    this.way = svg("g", { class: "way", "aria-hidden": "true" });
    this.marks = svg("g", { class: "marks", "aria-hidden": "true" });
    this.dots = svg("g", { class: "dots" });
    this.middle = svg("rect", { class: "coordinator", rx: "25%" });
    this.middleName = svg("text", { class: "name", dy: "2.1em" }, "coordinator");
    this.image = svg(
      "svg",
      { class: "network", role: "group", "aria-labelledby": "picture-text" },
      this.rings,
      this.neighbours,
      this.lines,
      this.way,
      svg("g", { "aria-hidden": "true" }, this.middle, this.middleName),
      this.dots,
      this.marks,
    );
  }

  // --- What there is -----------------------------------------------------------------------------

  /** Show these nodes.
   *
   * @param changed: addresses of those of which something may be new; null for all.
   */
  update(nodes, ways, changed = null) {
    const { links, hops } = ways;
    this.ways = ways;
    this.places.keep(links.keys());
    for (const [address, part] of this.parts) {
      if (!links.has(address)) {
        part.group.remove();
        part.line.remove();
        this.parts.delete(address);
      }
    }
    for (const node of nodes) {
      const { address } = node;
      const part = this.parts.get(address) || this.make(address);
      part.node = node;
      part.place = this.places.of(address, hops.get(address));
      part.hops = hops.get(address);
    }
    for (const [address, part] of this.parts) this.arrange(address, part, changed);
    this.drawRings(Math.max(1, ...hops.values()));
  }

  make(address) {
    const name = svg("tspan");
    const level = svg("tspan", { class: "level" });
    const dot = svg("circle", { class: "dot" });
    const halo = svg("circle", { class: "halo" });
    const text = svg("text", { class: "name", dy: "1.7em" }, name, level);
    const group = svg(
      "g",
      { class: "node", role: "button", tabindex: -1, "data-address": address },
      dot,
      halo,
      text,
    );
    const line = svg("path", { class: "link" });
    this.dots.append(group);
    this.lines.append(line);
    const part = { group, dot, halo, text, name, level, line };
    this.parts.set(address, part);
    return part;
  }

  /** Put a node and its line where they belong, and write what is to be read there. */
  arrange(address, part, changed) {
    const { node, place } = part;
    const link = this.ways.links.get(address);
    const parent = this.parts.get(link.parent);
    const from = parent ? parent.place : MIDDLE;
    const at = `translate(${place.x.toFixed(1)} ${place.y.toFixed(1)})`;
    setAttribute(part.group, "transform", at);
    const path = pathOf(between(place, from));
    if (part.path !== path) {
      part.path = path;
      part.line.setAttribute("d", path);
    }
    const isRelayNews = changed && link.parent && changed.has(link.parent);
    // For how long somebody has been in trouble is another time each time.
    const isSame = changed && !changed.has(address) && !isRelayNews && part.box !== "attention";
    if (isSame && part.label !== undefined) return;
    const name = format.nodeName(node);
    const parentName = parent ? format.nodeName(parent.node) : "";
    const signal = measured(node, link);
    const box = boxOf(node);
    part.short = shortened(name, LETTERS);
    setText(part.name, part.short);
    part.end = signal === null || signal === undefined ? "" : ` −${signal}`;
    if (box === "attention" && !node.problem) {
      const lasts = healthText(node).split(" · ")[1];
      if (lasts) part.end = ` · ${lasts}`;
    }
    setText(part.level, part.end);
    part.label = part.short + part.end;
    // Whoever says what is seen is understood by who hears (WCAG 2.1, 2.5.3).
    const called = part.short === name ? part.label : `${part.label} (${name})`;
    setAttribute(part.group, "aria-label", `${called}: ${describe(node, link, parentName)}`);
    part.width = widthOf(part.label);
    part.kind = node.type === "end" ? "end" : "router";
    part.box = box;
    const kinds = ["link", format.STRENGTHS[format.bars(signal)], link.known ? "" : "guessed"];
    if (box === "attention") kinds.push("bad");
    part.lineClass = kinds.filter(Boolean).join(" ");
    this.classify(address, part);
  }

  /** Write the classes of a node and its line: how it is, whether its way is lit, whether it is
   * what somebody looks for. */
  classify(address, part) {
    const isLit = part.isLit ? " on" : "";
    const isFound = part.isFound ? " found" : "";
    const isLeft = part.isLeft ? " left" : "";
    setAttribute(part.group, "class", `node ${part.kind} ${part.box}${isLit}${isFound}${isLeft}`);
    setAttribute(part.line, "class", `${part.lineClass}${isLeft}`);
  }

  drawRings(deepest) {
    const key = `${deepest} ${this.places.circle.slots}`;
    if (key === this.ringsKey) return;
    this.ringsKey = key;
    this.rings.replaceChildren();
    for (let ring = 1; ring <= deepest; ring += 1) {
      const radius = this.places.radius(ring);
      this.rings.append(
        svg("circle", { r: radius, class: "ring" }),
        svg(
          "text",
          { y: -radius, dy: "-0.5em", class: "ring-name" },
          ring === 1 ? "1 hop" : `${ring} hops`,
        ),
      );
    }
  }

  /** The smallest box that has all nodes in it. */
  get bounds() {
    let [left, right, top, bottom] = [-40, 40, -40, 40];
    for (const { place } of this.parts.values()) {
      left = Math.min(left, place.x);
      right = Math.max(right, place.x);
      top = Math.min(top, place.y);
      bottom = Math.max(bottom, place.y);
    }
    return { left, top, width: right - left, height: bottom - top };
  }

  // --- What of it is shown -----------------------------------------------------------------------

  /** Show a part of it: names and dots have the same size at every scale, or nearly. */
  look({ left, top, width, height }, scale) {
    this.image.setAttribute(
      "viewBox",
      [left, top, width, height].map((n) => n.toFixed(2)).join(" "),
    );
    this.box = { left, top, width, height };
    if (scale !== this.scale || !this.sized) {
      this.scale = scale;
      this.sized = true;
      this.image.style.fontSize = `${12 / scale}px`;
      for (const part of this.parts.values()) this.size(part);
      const half = this.dotSize("coordinator");
      for (const [name, value] of Object.entries({
        x: -half,
        y: -half,
        width: 2 * half,
        height: 2 * half,
      })) {
        this.middle.setAttribute(name, value.toFixed(2));
      }
    }
    this.showNames();
  }

  dotSize(kind) {
    const shown = Math.min(LARGE, Math.max(SMALL, this.scale));
    return (DOT[kind] * shown) / this.scale;
  }

  size(part) {
    const radius = this.dotSize(part.kind || "router");
    part.dot.setAttribute("r", radius.toFixed(2));
    part.halo.setAttribute("r", (radius * 2).toFixed(2));
    part.radius = radius;
  }

  /** Show the names for which there is room, those that matter most first. */
  showNames() {
    const shown = this.namesFor(this.scale, this.box);
    for (const [address, part] of this.parts) {
      if (part.radius === undefined || part.sizedAs !== part.kind) {
        part.sizedAs = part.kind;
        this.size(part);
      }
      part.text.classList.toggle("hidden", !shown.has(address));
    }
  }

  /** Return the addresses of nodes whose names find room.
   *
   * @param scale: pixels for a unit.
   * @param box: what is seen.
   */
  namesFor(scale, box) {
    const taken = [];
    const shown = new Set();
    const line = LINE / scale;
    const rank = (part) => {
      if (part.isLit || part.isFound) return 0;
      if (part.isLeft) return 9;
      return part.box === "attention" ? 1 : part.box === "weak" ? 2 : 3;
    };
    const order = [...this.parts].map(([address, part]) => [rank(part), address, part]);
    order.sort(
      (one, other) =>
        one[0] - other[0] || one[2].hops - other[2].hops || (one[1] < other[1] ? -1 : 1),
    );
    // The coordinator's own name, and all dots: only a name that matters may cover those.
    const dots = [];
    taken.push({ left: -36 / scale, right: 36 / scale, top: -14 / scale, bottom: 30 / scale });
    const half = (DOT.end * Math.min(LARGE, Math.max(SMALL, scale))) / scale;
    for (const { place } of this.parts.values()) {
      dots.push({
        left: place.x - half,
        right: place.x + half,
        top: place.y - half,
        bottom: place.y + half,
      });
    }
    const [right, bottom] = [box.left + box.width, box.top + box.height];
    for (const [how, address, part] of order) {
      if (how === 9) continue;
      const reach = part.width / 2 / scale;
      const { x, y } = part.place;
      const area = {
        left: x - reach,
        right: x + reach,
        top: y + line * 0.6,
        bottom: y + line * 1.5,
      };
      const isSeen =
        area.left > box.left && area.right < right && area.top > box.top && area.bottom < bottom;
      if (!isSeen) continue;
      const isApart = (other) =>
        area.right < other.left ||
        area.left > other.right ||
        area.bottom < other.top ||
        area.top > other.bottom;
      const isFree = taken.every(isApart) && (how < 2 || dots.every(isApart));
      if (!isFree && !part.isLit) continue;
      taken.push(area);
      shown.add(address);
    }
    return shown;
  }

  // --- Ways, and what is looked for --------------------------------------------------------------

  /** Light the way of a node, with the signal of each hop; "" for none.
   *
   * @param levels: of each hop from the coordinator on: `text`, and how good it is, `strength`.
   */
  light(address, levels = []) {
    this.lit = address;
    const way = address ? this.ways.of(address) : [];
    const on = new Set(way.map((hop) => hop.address));
    this.image.classList.toggle("lit", on.size > 0);
    for (const [each, part] of this.parts) {
      if (Boolean(part.isLit) !== on.has(each)) {
        part.isLit = on.has(each);
        this.classify(each, part);
      }
    }
    const texts = [];
    const lines = [];
    let from = MIDDLE;
    for (const [index, hop] of way.entries()) {
      const part = this.parts.get(hop.address);
      // Where a relay is that nobody knows is not known either.
      if (!part) continue;
      const points = between(part.place, from);
      const { text = "", strength = "unknown" } = levels[index] || {};
      lines.push(svg("path", { class: `link on ${strength}`, d: pathOf(points) }));
      if (text) texts.push(this.level(points, text));
      from = part.place;
    }
    this.way.replaceChildren(...lines);
    this.marks.replaceChildren(...texts);
    if (this.box) this.showNames();
  }

  /** Write something at the middle of a line. */
  level(points, text) {
    const last = points.length - 1;
    const half = [points[Math.floor(last / 2)], points[Math.ceil(last / 2)]];
    const x = (half[0].x + half[1].x) / 2;
    const y = (half[0].y + half[1].y) / 2;
    return svg("text", { class: "level", x: x.toFixed(1), y: y.toFixed(1), dy: "0.35em" }, text);
  }

  /** Show the nodes that are looked for.
   *
   * @param found: their addresses; null if nothing is looked for.
   * @param isOnly: whether the others are all but hidden, but for those on their ways.
   */
  find(found, isOnly) {
    const ways = new Set();
    if (found && isOnly) {
      for (const address of found) for (const hop of this.ways.of(address)) ways.add(hop.address);
    }
    this.image.classList.toggle("searched", found !== null);
    for (const [address, part] of this.parts) {
      const isFound = Boolean(found?.has(address));
      const isLeft = found !== null && !isFound && !ways.has(address);
      if (Boolean(part.isFound) !== isFound || Boolean(part.isLeft) !== isLeft) {
        part.isFound = isFound;
        part.isLeft = isLeft;
        this.classify(address, part);
      }
    }
    if (this.box) this.showNames();
  }
}
