// Whose frames are traced: those of all nodes, or of some. Frames that are traced are events of the
// log.

import { setAttribute, setText } from "./dom.js";

/** Tells "change" when the gateway said who is traced. */
export class Tracing extends EventTarget {
  constructor(link) {
    super();
    this.link = link;
    this.all = false;
    this.nodes = new Set();
    // Another run of the gateway traces nothing until it is told to.
    link.addEventListener("up", () => {
      if (this.isKnown) this.call().catch(() => {});
    });
  }

  /** Ask how it is, or change it.
   *
   * @param args: none; or "on" or "off" and a node's address, "" for all.
   */
  async call(...args) {
    const { all, nodes } = await this.link.call("frames", args);
    this.all = all;
    this.nodes = new Set(nodes);
    this.isKnown = true;
    this.dispatchEvent(new Event("change"));
  }

  isOn(address) {
    return address ? this.nodes.has(address) : this.all;
  }

  switch(address) {
    return this.call(this.isOn(address) ? "off" : "on", address);
  }

  /** Show on a button whether a node, or "" for all, is traced. */
  show(button, address, whose) {
    const on = this.isOn(address);
    setAttribute(button, "aria-pressed", String(on));
    setText(button, on ? `Tracing ${whose}` : `Trace ${whose}`);
  }
}
