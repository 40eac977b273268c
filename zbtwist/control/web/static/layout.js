// Where each node stands in the picture of the network: pure computation.
//
// The coordinator is in the middle. Each node has an angle: those under one node share its part of
// the circle. Depth by depth a node is put on its ray, as near to the middle as it has room for
// itself and its name. So three nodes make a small picture, and hundreds fill an ellipse evenly.

/** Whom a node hangs on.
 *
 * An end device has a parent. A router says none; the way of what it sent tells its neighbour.
 *
 * @return the address of a node, or "" for the coordinator, and whether this is known.
 */
function neighbour(node, byShort) {
  const named = node.type === "end" && node.parent && node.parent !== "fffe" ? node.parent : null;
  const short = named ?? (node.route && node.route.length ? node.route[0] : null);
  if (short === null) return { parent: "", known: node.route !== null && node.route !== undefined };
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
export function tree(nodes) {
  const byShort = new Map(nodes.map((node) => [node.short, node]));
  const links = new Map(nodes.map((node) => [node.address, neighbour(node, byShort)]));
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

/** The numbers below a limit, so that any first part of them is spread evenly. */
function spread(limit) {
  const bits = Math.max(1, Math.ceil(Math.log2(limit)));
  const numbers = [];
  for (let number = 0; number < 2 ** bits; number += 1) {
    let mirrored = 0;
    for (let bit = 0; bit < bits; bit += 1) {
      if (number & (1 << bit)) mirrored |= 1 << (bits - 1 - bit);
    }
    if (mirrored < limit) numbers.push(mirrored);
  }
  return numbers;
}

/** Finds out quickly whether a place is free: places are kept by the cell that they are in. */
class Room {
  constructor(width, height) {
    this.width = width;
    this.height = height;
    this.cells = new Map();
  }

  cell(x, y) {
    return [Math.floor(x / this.width), Math.floor(y / this.height)];
  }

  isFree(x, y) {
    const [column, row] = this.cell(x, y);
    for (let i = column - 1; i <= column + 1; i += 1) {
      for (let j = row - 1; j <= row + 1; j += 1) {
        for (const other of this.cells.get(`${i} ${j}`) || []) {
          if (Math.abs(other.x - x) < this.width && Math.abs(other.y - y) < this.height) {
            return false;
          }
        }
      }
    }
    return true;
  }

  take(x, y) {
    const key = this.cell(x, y).join(" ");
    if (!this.cells.has(key)) this.cells.set(key, []);
    this.cells.get(key).push({ x, y });
  }
}

/** Arrange a tree.
 *
 * @param children: as `childrenOf` gives it, in the order wanted.
 * @param shape: {width, height} of a node with its name, {start, step} from the middle to the first
 *     nodes and from a node to those that hang on it, and the {aspect} of the picture.
 * @return {places: Map from address to {x, y}, width, height}; the coordinator is in the middle.
 */
export function arrange(children, shape) {
  const weights = new Map();
  const order = [];
  const visit = (address, depth) => {
    let weight = 0;
    order.push({ address, depth });
    for (const child of children.get(address) || []) weight += visit(child, depth + 1);
    weights.set(address, Math.max(1, weight));
    return Math.max(1, weight);
  };
  visit("", 0);

  const angles = new Map();
  const divide = (address, from, to) => {
    angles.set(address, (from + to) / 2);
    const part = (to - from) / weights.get(address);
    let at = from;
    for (const child of children.get(address) || []) {
      const end = at + part * weights.get(child);
      divide(child, at, end);
      at = end;
    }
  };
  // So one node is above the coordinator, and two are at its sides: its name is below it.
  divide("", -Math.PI * 1.5, Math.PI * 0.5);

  const parents = new Map();
  for (const [address, list] of children) for (const child of list) parents.set(child, address);
  const room = new Room(shape.width, shape.height);
  const places = new Map([["", { x: 0, y: 0, radius: 0 }]]);
  room.take(0, 0);
  const deepest = order.reduce((depth, entry) => Math.max(depth, entry.depth), 0);
  for (let depth = 1; depth <= deepest; depth += 1) {
    const level = order.filter((entry) => entry.depth === depth);
    for (const index of spread(level.length)) {
      const { address } = level[index];
      const angle = angles.get(address);
      let radius = depth === 1 ? shape.start : places.get(parents.get(address)).radius + shape.step;
      let x;
      let y;
      for (;;) {
        x = shape.aspect * radius * Math.cos(angle);
        y = radius * Math.sin(angle);
        if (room.isFree(x, y)) break;
        radius += shape.height / 4;
      }
      room.take(x, y);
      places.set(address, { x, y, radius });
    }
  }
  let [left, right, top, bottom] = [0, 0, 0, 0];
  for (const { x, y } of places.values()) {
    left = Math.min(left, x);
    right = Math.max(right, x);
    top = Math.min(top, y);
    bottom = Math.max(bottom, y);
  }
  const margin = { x: shape.width / 2 + 24, y: shape.height / 2 + 24 };
  return {
    places,
    left: left - margin.x,
    top: top - margin.y,
    width: right - left + 2 * margin.x,
    height: bottom - top + 2 * margin.y,
  };
}
