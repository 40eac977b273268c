// The traffic of the last ten minutes, of every node and of all together. The gateway tells each
// interval of it once; what it does not mention was nothing.

/** How many intervals are kept. */
export const KEPT = 60;

/** What passed: received, sent and lost bytes in each interval, the oldest first. */
function nothing() {
  return [0, 1, 2].map(() => new Array(KEPT).fill(0));
}

const NOTHING = nothing();

/** Read what the gateway has packed: little-endian numbers of 16 or 32 bits in base64. */
function unpacked(text, count) {
  const { buffer } = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  if (!text) return new Array(count).fill(0);
  return [...(buffer.byteLength === 2 * count ? new Uint16Array(buffer) : new Uint32Array(buffer))];
}

/** Let time pass, and lay the last intervals, of which so many are told, at the end. */
function moved(series, passed, last, count) {
  return series.map((values, which) => {
    const added = last ? unpacked(last[which], count).slice(-passed) : [];
    const still = new Array(Math.min(passed, KEPT) - added.length).fill(0);
    return [...values.slice(passed), ...still, ...added].slice(-KEPT);
  });
}

function isNothing(series) {
  return series.every((values) => values.every((value) => !value));
}

export class RecentTraffic {
  constructor() {
    this.clear();
  }

  clear() {
    this.number = 0;
    /** Seconds of an interval. */
    this.interval = 10;
    this.all = NOTHING;
    this.nodes = new Map();
  }

  /** Take what the gateway tells.
   *
   * @return the addresses of the nodes of which something else is to be seen now; null if of none.
   */
  take({ number, interval, count, all, nodes }) {
    const passed = number - this.number;
    if (!(passed > 0)) return null;
    this.number = number;
    this.interval = interval;
    this.all = moved(this.all, passed, all, count);
    const concerned = new Set([...this.nodes.keys(), ...Object.keys(nodes)]);
    for (const address of concerned) {
      const series = moved(this.of(address), passed, nodes[address], count);
      if (isNothing(series)) this.nodes.delete(address);
      else this.nodes.set(address, series);
    }
    return concerned;
  }

  of(address) {
    return this.nodes.get(address) || NOTHING;
  }

  /** Seconds of which something is known: a gateway that was started a moment ago knows little. */
  get seconds() {
    return Math.min(this.number, KEPT) * this.interval;
  }
}
