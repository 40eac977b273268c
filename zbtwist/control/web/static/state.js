// What the gateway said last: itself, its radio, its nodes. A snapshot replaces all of it, changes
// are laid over it.

/** Tells "change" after every message; the detail says which nodes are concerned. */
export class State extends EventTarget {
  constructor() {
    super();
    this.gateway = {};
    this.radio = {};
    /** Nodes by their 64-bit address. */
    this.nodes = new Map();
  }

  take(message) {
    const changed = new Set();
    const gone = new Set();
    if (message.type === "snapshot") {
      this.gateway = message.gateway;
      this.radio = message.radio;
      for (const address of this.nodes.keys()) gone.add(address);
      this.nodes.clear();
      for (const node of message.nodes) this.lay(node, changed);
      for (const address of changed) gone.delete(address);
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
    this.dispatchEvent(new CustomEvent("change", { detail: { changed, gone } }));
  }

  lay(news, changed) {
    const node = this.nodes.get(news.address);
    if (node) Object.assign(node, news);
    else this.nodes.set(news.address, { ...news });
    changed.add(news.address);
  }
}
