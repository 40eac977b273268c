// Graphs of the last hour's traffic: received above the line, sent below it.

import { element, setAttribute, setText, svg } from "./dom.js";
import * as format from "./format.js";

/** The longest and the shortest time that is shown, in intervals. */
const INTERVALS = 360;
const FEWEST = 60;
const HEIGHT = 64;

/** Milliseconds between two looks; the gateway counts in intervals of 10 s. */
const REFRESH = 10000;

/** The outline of an area between the middle line and the values, newest at the right. */
function outline(values, span, largest, direction) {
  const middle = HEIGHT / 2;
  const points = values.map((value, index) => {
    const x = span - values.length + index;
    const y = middle - direction * (value / largest) * (middle - 1);
    return `${x},${y.toFixed(1)} ${x + 1},${y.toFixed(1)}`;
  });
  if (!points.length) return "";
  return `${span - values.length},${middle} ${points.join(" ")} ${span},${middle}`;
}

export class TrafficGraph {
  /** @param place: the element to draw in.
   *  @param subject: whose traffic it is, in words. */
  constructor(place, subject) {
    this.subject = subject;
    this.received = svg("polygon", { class: "received" });
    this.sent = svg("polygon", { class: "sent" });
    this.image = svg(
      "svg",
      {
        class: "traffic",
        preserveAspectRatio: "none",
        role: "img",
      },
      svg("line", { x1: 0, x2: INTERVALS, y1: HEIGHT / 2, y2: HEIGHT / 2, class: "axis" }),
      this.received,
      this.sent,
    );
    this.receivedText = element("span");
    this.sentText = element("span");
    this.most = element("span", { class: "muted" });
    this.beginning = element("span");
    place.replaceChildren(
      element(
        "p",
        { class: "traffic-legend" },
        element("span", { class: "key received" }),
        this.receivedText,
        element("span", { class: "key sent" }),
        this.sentText,
        this.most,
      ),
      this.image,
      element("p", { class: "traffic-axis muted" }, this.beginning, element("span", {}, "now")),
    );
    this.show({ interval: 10, end: 0, received: [], sent: [] });
  }

  show({ interval, end, received, sent }) {
    if (end) format.learnTime(end);
    const above = received.slice(-INTERVALS);
    const below = sent.slice(-INTERVALS);
    const peak = Math.max(0, ...above, ...below);
    const largest = peak || 1;
    // A gateway that started a while ago has no hour behind it yet.
    const span = Math.max(above.length, FEWEST);
    const minutes = Math.round((span * interval) / 60);
    setAttribute(this.image, "viewBox", `0 0 ${span} ${HEIGHT}`);
    setAttribute(this.received, "points", outline(above, span, largest, 1));
    setAttribute(this.sent, "points", outline(below, span, largest, -1));
    setText(this.beginning, minutes === 60 ? "1 hour ago" : `${minutes} min ago`);
    const sum = (values) => format.bytes(values.reduce((total, value) => total + value, 0));
    setText(this.receivedText, `${sum(above)} received`);
    setText(this.sentText, `${sum(below)} sent`);
    const fastest = `at most ${format.bytes(peak / interval)}/s`;
    setText(this.most, peak ? fastest : "");
    setAttribute(
      this.image,
      "aria-label",
      `${this.subject} in the last ${minutes} minutes: ` +
        `${sum(above)} received, ${sum(below)} sent, ${fastest}`,
    );
  }
}

/** Keeps a graph up to date while it is wanted. */
export class TrafficWatch {
  /** @param address: a node's, or "" for all nodes together. */
  constructor(link, graph, address) {
    this.link = link;
    this.graph = graph;
    this.address = address;
    this.refresh();
    this.timer = setInterval(() => this.refresh(), REFRESH);
    this.onUp = () => this.refresh();
    link.addEventListener("up", this.onUp);
  }

  async refresh() {
    if (!this.link.up) return;
    try {
      const traffic = await this.link.call("traffic", [this.address]);
      if (this.timer) this.graph.show(traffic);
    } catch {
      // A lost connection is said elsewhere; a node that has gone has no traffic.
    }
  }

  stop() {
    clearInterval(this.timer);
    this.timer = null;
    this.link.removeEventListener("up", this.onUp);
  }
}
