// Who hears whom, as far as the routers have told: drawn beside the routes if somebody wants it,
// and the walk over all routers.

import { byId, setText, svg } from "./dom.js";
import { MIDDLE, pathOf } from "./layout.js";

/** LQIs from which on a link is as good as that; below it is weak. */
const QUALITIES = [
  ["strong", 192],
  ["good", 128],
  ["fair", 64],
  ["weak", 0],
];

/** Milliseconds between two questions to the gateway for all links, and for each link more. */
const PAUSE = 3000;
const PAUSE_OF_A_LINK = 2;

/** The address of a node as the page has it. */
function plain(extended) {
  return extended.replace(/[[\]!]/g, "");
}

export function qualityOf(lqi) {
  return QUALITIES.find(([, least]) => lqi >= least)[0];
}

/** Tells "change" when something else is known. */
export class NeighbourLinks extends EventTarget {
  constructor(state, link) {
    super();
    this.state = state;
    this.link = link;
    this.isOn = false;
    this.isShown = false;
    this.walk = null;
    /** LQI by "who whom", both addresses; "" is the coordinator. */
    this.qualities = new Map();
    this.known = null;
    this.paths = new Map(
      QUALITIES.map(([quality]) => [quality, svg("path", { class: `neighbour ${quality}` })]),
    );
    this.own = svg("g", { class: "own" });
    byId("neighbours-on").addEventListener("click", () => this.switch(!this.isOn));
    byId("walk-begin").addEventListener("click", () =>
      this.ask("walk", [Number(byId("walk-pause").value)]),
    );
    byId("walk-end").addEventListener("click", () => this.ask("end_walk", []));
    state.addEventListener("change", () => this.look());
  }

  switch(isOn) {
    this.isOn = isOn;
    byId("neighbours-on").setAttribute("aria-pressed", String(isOn));
    byId("neighbours-bar").hidden = !isOn;
    this.look();
    this.dispatchEvent(new Event("change"));
  }

  /** Whether the picture is seen. */
  show(isShown) {
    this.isShown = isShown;
    this.look();
  }

  /** Ask for the links, if they are others than those that are known, and it is time. */
  look() {
    const { gateway } = this.state;
    const now = `${gateway.neighbours} ${gateway.walk}`;
    if (!this.isOn || !this.isShown || !this.link || now === this.known || this.timer) return;
    this.known = now;
    this.ask("links", []);
    this.timer = setTimeout(
      () => {
        this.timer = null;
        this.look();
      },
      PAUSE + PAUSE_OF_A_LINK * this.qualities.size,
    );
  }

  /** @param call: one that tells all links. */
  async ask(call, values) {
    try {
      this.take(await this.link.call(call, values));
      this.fault("");
    } catch (fault) {
      this.fault(fault.message);
      this.known = null;
    }
  }

  /** Ask one node whom it hears. */
  async askNode(address) {
    setText(byId("walk-text"), "Asking…");
    try {
      await this.link.call("neighbours", [address]);
      if (!this.isOn) this.switch(true);
      await this.ask("links", []);
    } catch (fault) {
      if (!this.isOn) this.switch(true);
      this.fault(fault.message);
    }
  }

  fault(text) {
    const place = byId("walk-text");
    place.classList.toggle("error", Boolean(text));
    if (text) setText(place, text);
  }

  take({ links, ...walk }) {
    const radio = this.state.radio.address;
    const at = (extended) => {
      const address = plain(extended);
      return address === radio ? "" : address;
    };
    this.walk = walk;
    this.qualities = new Map(
      links.map((one) => [`${at(one.addr_extended)} ${at(one.neighbour)}`, one.lqi]),
    );
    const none = "Nobody has told whom it hears.";
    setText(byId("walk-text"), walk.text || (links.length ? "" : none));
    const progress = byId("walk-progress");
    progress.hidden = !walk.running;
    progress.max = walk.total || 1;
    progress.value = walk.asked;
    byId("walk-end").hidden = !walk.running;
    setText(byId("walk-begin"), walk.running ? "Change the pace" : "Ask all routers");
    this.dispatchEvent(new Event("change"));
  }

  /** How well two hear each other: the worse of both ways; undefined if nobody has told. */
  between(one, other) {
    const ways = [this.qualities.get(`${one} ${other}`), this.qualities.get(`${other} ${one}`)];
    const told = ways.filter((lqi) => lqi !== undefined);
    return told.length ? Math.min(...told) : undefined;
  }

  /** Return each link once: [one, other, LQI]. */
  *links() {
    for (const key of this.qualities.keys()) {
      const [one, other] = key.split(" ");
      if (one < other || !this.qualities.has(`${other} ${one}`)) {
        yield [one, other, this.between(one, other)];
      }
    }
  }

  /** Draw them, as four paths however many there are, and those of the node that is lit apart. */
  draw(scene) {
    const parts = { strong: [], good: [], fair: [], weak: [] };
    const own = [];
    if (this.isOn) {
      for (const [one, other, lqi] of this.links()) {
        const from = one ? scene.parts.get(one)?.place : MIDDLE;
        const to = other ? scene.parts.get(other)?.place : MIDDLE;
        if (!from || !to) continue;
        const path = pathOf([from, to]);
        const quality = qualityOf(lqi);
        parts[quality].push(path);
        if (scene.lit && (one === scene.lit || other === scene.lit)) {
          own.push(svg("path", { d: path, class: `neighbour ${quality}` }));
          const x = (from.x + 2 * to.x) / 3;
          const y = (from.y + 2 * to.y) / 3;
          const isFrom = one === scene.lit;
          own.push(
            svg(
              "text",
              {
                class: "level",
                x: (isFrom ? x : (2 * from.x + to.x) / 3).toFixed(1),
                y: (isFrom ? y : (2 * from.y + to.y) / 3).toFixed(1),
                dy: "0.35em",
              },
              String(lqi),
            ),
          );
        }
      }
    }
    for (const [quality, path] of this.paths) path.setAttribute("d", parts[quality].join(""));
    this.own.replaceChildren(...own);
    if (!this.own.parentNode) scene.neighbours.append(...this.paths.values(), this.own);
  }
}
