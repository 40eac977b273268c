// What the gateway said last: itself, its radio, its nodes, and the traffic of ten minutes. A
// snapshot replaces all of it, changes are laid over it.

import { learnTime } from "./format.js";
import { RecentTraffic } from "./recent.js";

/** Tells "change" after every message; the detail says which nodes are concerned, and of which
 * nodes the traffic is (null for none). */
export class State extends EventTarget {
  constructor() {
    super();
    this.gateway = {};
    this.radio = {};
    /** Nodes by their 64-bit address. */
    this.nodes = new Map();
    /** Who had which 16-bit address last. */
    this.shorts = new Map();
    this.traffic = new RecentTraffic();
    this.isKnown = false;
  }

  take(message) {
    const changed = new Set();
    const gone = new Set();
    if (message.type === "snapshot") {
      if (message.time) learnTime(message.time);
      this.isKnown = true;
      this.gateway = message.gateway;
      this.radio = message.radio;
      for (const address of this.nodes.keys()) gone.add(address);
      this.nodes.clear();
      this.shorts.clear();
      for (const node of message.nodes) this.lay(node, changed);
      for (const address of changed) gone.delete(address);
      this.traffic.clear();
    } else if (message.type === "changes") {
      Object.assign(this.gateway, message.gateway);
      Object.assign(this.radio, message.radio);
      for (const node of message.nodes || []) this.lay(node, changed);
      for (const address of message.gone || []) {
        this.nodes.delete(address);
        changed.delete(address);
        gone.add(address);
      }
    } else {
      // A newer gateway may say more than this page knows.
      return;
    }
    const news = message.traffic?.number ? this.traffic.take(message.traffic) : null;
    const traffic = message.type === "snapshot" ? new Set(changed) : news;
    this.dispatchEvent(new CustomEvent("change", { detail: { changed, gone, traffic } }));
  }

  lay(news, changed) {
    const node = this.nodes.get(news.address);
    if (node) Object.assign(node, news);
    else this.nodes.set(news.address, { ...news });
    if (news.short) this.shorts.set(news.short, news.address);
    changed.add(news.address);
  }

  /** Find a node by its 16-bit address. */
  byShort(short) {
    const node = this.nodes.get(this.shorts.get(short));
    return node?.short === short ? node : undefined;
  }
}
