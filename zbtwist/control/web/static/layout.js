// Where each node stands in the picture of the network: pure computation.
//
// The coordinator is in the middle. A node is on the ring of its hops, at an angle that belongs to
// its address: so it stays where it is whatever becomes of the others, and moves along its ray when
// it has another way. Each node has an angle of its own, on whichever ring it is; where many share
// a circle the ring is a band of some lanes.

/** More nodes than this have no place of their own. */
export const MAXIMUM_NODES = 500;

/** How many angles there are, for up to how many nodes; how many lanes a ring has then, and how far
 * from the middle the first one is. With these, no two nodes are nearer than `APART`. */
const CIRCLES = [
  { slots: 64, nodes: 40, lanes: 1, start: 150, step: 112 },
  { slots: 128, nodes: 80, lanes: 2, start: 168, step: 112 },
  { slots: 256, nodes: 160, lanes: 3, start: 220, step: 116 },
  { slots: 512, nodes: 320, lanes: 4, start: 316, step: 122 },
  { slots: 1024, nodes: MAXIMUM_NODES, lanes: 6, start: 436, step: 150 },
];
const LANE = 15;
export const APART = 14;

/** The most hops that a packet is let through (90000976, "NH"). */
const MAXIMUM_HOPS = 31;

/** The way of each node, as 16-bit addresses from its neighbour to the coordinator's: by its own
 * route record, and where it has sent none by the record of somebody whose packets it passes on.
 *
 * @return a Map by address; who is not in it has told no way.
 */
export function routesOf(nodes) {
  const routes = new Map();
  const byShort = new Map(nodes.map((node) => [node.short, node.address]));
  for (const node of nodes) if (node.route) routes.set(node.address, node.route);
  for (const { route } of nodes) {
    for (const [index, short] of (route || []).entries()) {
      const address = byShort.get(short);
      if (address && !routes.has(address)) routes.set(address, route.slice(index + 1));
    }
  }
  return routes;
}

/** Whom a node hangs on.
 *
 * An end device has a parent. A router says none; the way of what it sent tells its neighbour.
 *
 * @return the address of a node, or "" for the coordinator, and whether this is known.
 */
function neighbour(node, route, byShort) {
  const named = node.type === "end" && node.parent && node.parent !== "fffe" ? node.parent : null;
  const short = named ?? (route?.length ? route[0] : null);
  if (short === null) return { parent: "", known: route !== undefined };
  if (short === "0000") return { parent: "", known: true };
  const other = byShort.get(short);
  return other && other.address !== node.address
    ? { parent: other.address, known: true }
    : { parent: "", known: false };
}

/** Who hangs on whom.
 *
 * @return a Map from each node's address to {parent, known}; following the parents always ends at
 *     "", the coordinator.
 */
export function tree(nodes, routes = routesOf(nodes)) {
  const byShort = new Map(nodes.map((node) => [node.short, node]));
  const links = new Map(
    nodes.map((node) => [node.address, neighbour(node, routes.get(node.address), byShort)]),
  );
  for (const address of links.keys()) {
    // News of different age may contradict each other: cut a circle where it is found.
    const seen = new Set([address]);
    let at = address;
    while (links.get(at).parent) {
      const next = links.get(at).parent;
      if (seen.has(next)) {
        links.set(at, { parent: "", known: false });
        break;
      }
      seen.add(next);
      at = next;
    }
  }
  return links;
}

/** The children of each node; those of the coordinator under "". */
export function childrenOf(links) {
  const children = new Map();
  for (const [address, { parent }] of links) {
    if (!children.has(parent)) children.set(parent, []);
    children.get(parent).push(address);
  }
  return children;
}

/** How many hops away each node is: by its own way, and if it has told none by its parent's. */
function hopsOf(links, routes) {
  const hops = new Map([["", 0]]);
  const find = (address) => {
    let number = hops.get(address);
    if (number === undefined) {
      const route = routes.get(address);
      number = route ? route.length + 1 : find(links.get(address).parent) + 1;
      number = Math.min(number, MAXIMUM_HOPS);
      hops.set(address, number);
    }
    return number;
  };
  for (const address of links.keys()) find(address);
  return hops;
}

/** Who hangs on whom, how far away each node is, and by which way.
 *
 * @ivar links: as `tree` gives them. @ivar hops: by address; 0 for "", the coordinator.
 */
export class Ways {
  constructor(nodes = []) {
    this.routes = routesOf(nodes);
    this.links = tree(nodes, this.routes);
    this.hops = hopsOf(this.links, this.routes);
    this.owners = new Map(nodes.map((node) => [node.short, node.address]));
  }

  /** Return what a node's packets go through, from the coordinator's neighbour to the node itself:
   * `short`, and `address` if it is known whose that is. */
  of(address) {
    const route = this.routes.get(address);
    const way = [{ address }];
    if (route) {
      for (const short of route) way.unshift({ short, address: this.owners.get(short) });
    } else {
      let at = this.links.get(address)?.parent;
      while (at) {
        way.unshift({ address: at });
        at = this.links.get(at).parent;
      }
    }
    return way;
  }
}

/** Return 32 bits that have to do with an address, and look like chance: addresses of one
 * delivery differ in their last digits only. */
function mixed(address) {
  let bits = 0x811c9dc5;
  for (let index = 0; index < address.length; index += 1) {
    bits = Math.imul(bits ^ address.charCodeAt(index), 0x01000193);
  }
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}

/** Gives each node its angle, and remembers it. */
export class Places {
  constructor() {
    this.circle = CIRCLES[0];
    /** Which angle a node has, by its address, and which are taken. */
    this.slots = new Map();
    this.taken = new Set();
  }

  /** Have these nodes and no others. Those that stay, stay where they are. Only when there are so
   * many that the circle has to be larger are all angles given anew; each is nearly as it was. */
  keep(addresses) {
    const wanted = new Set(addresses);
    const isFull = wanted.size > this.circle.nodes;
    const isEmpty = wanted.size < this.circle.nodes / 4;
    if (isFull || isEmpty) {
      const circle = CIRCLES.find(({ nodes }) => wanted.size <= nodes);
      if (circle !== this.circle) {
        this.circle = circle;
        this.slots.clear();
        this.taken.clear();
      }
    }
    for (const [address, slot] of this.slots) {
      if (!wanted.has(address)) {
        this.slots.delete(address);
        this.taken.delete(slot);
      }
    }
    // In the order of the addresses: who comes to the page later sees the same.
    for (const address of [...wanted].sort()) {
      if (!this.slots.has(address)) this.take(address);
    }
  }

  take(address) {
    const { slots } = this.circle;
    const wish = Math.floor((mixed(address) / 2 ** 32) * slots);
    for (let distance = 0; ; distance += 1) {
      for (const slot of [wish + distance, wish - distance]) {
        const free = (slot + slots) % slots;
        if (!this.taken.has(free)) {
          this.taken.add(free);
          this.slots.set(address, free);
          return;
        }
      }
    }
  }

  /** Return where a node stands on a ring: x, y, and the same as angle and radius. */
  of(address, ring) {
    const { slots, lanes } = this.circle;
    const slot = this.slots.get(address);
    const angle = ((slot + 0.5) / slots) * 2 * Math.PI - Math.PI / 2;
    const radius = this.radius(ring) + ((slot % lanes) - (lanes - 1) / 2) * LANE;
    return { x: radius * Math.cos(angle), y: radius * Math.sin(angle), angle, radius };
  }

  /** Return how far the middle of a ring is from the middle of all. */
  radius(ring) {
    return ring ? this.circle.start + (ring - 1) * this.circle.step : 0;
  }
}

/** The middle. */
export const MIDDLE = { x: 0, y: 0, angle: 0, radius: 0 };

/** Points between two places, from the first to the second: straight to the middle, else around it,
 * so that no line seems to end at the coordinator that goes on behind it. */
export function between(from, to) {
  if (!from.radius || !to.radius) return [from, to];
  const whole = 2 * Math.PI;
  const turn = ((((to.angle - from.angle + Math.PI) % whole) + whole) % whole) - Math.PI;
  const steps = Math.max(1, Math.ceil(Math.abs(turn) / 0.1));
  return Array.from({ length: steps + 1 }, (_, step) => {
    const share = step / steps;
    const radius = from.radius + (to.radius - from.radius) * share;
    const angle = from.angle + turn * share;
    return { x: radius * Math.cos(angle), y: radius * Math.sin(angle) };
  });
}

/** Write points as the path of a line. */
export function pathOf(points) {
  return points
    .map(({ x, y }, index) => `${index ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`)
    .join("");
}
