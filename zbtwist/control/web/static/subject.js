// The node that the panel is about: what the feed tells of it at once, and what else the gateway
// knows, which is asked for every few seconds while somebody looks.

import * as format from "./format.js";
import { place } from "./place.js";

/** Milliseconds from one question to the next. */
const REFRESH = 3000;

/** The number of the fault of a node that nobody knows. */
const UNKNOWN_NODE = 2;

/** Tells "change" when something else is known of it, "restart" when it was told to,
 * and "applied" when it may have other settings.
 *
 * address: its 64-bit address.
 * details: what the gateway's show() said last; null if it has said nothing yet.
 * ended: aborted when the panel is about something else. */
export class Subject extends EventTarget {
  constructor(address, { link, state, session, nodeLink }) {
    super();
    Object.assign(this, { address, link, state, session, nodeLink, details: null });
    this.ended = new AbortController();
    this.told = String(this.values?.told);
    const { signal } = this.ended;
    state.addEventListener(
      "change",
      ({ detail }) => {
        if (!detail.changed.has(address) && !detail.gone.has(address)) return;
        this.changed();
        // It has told values, of which the feed has one.
        if (String(this.values?.told) !== this.told) this.refresh();
        this.told = String(this.values?.told);
      },
      { signal },
    );
    link.addEventListener("up", () => this.refresh(), { signal });
    document.addEventListener("visibilitychange", () => this.refresh(), { signal });
    this.timer = setInterval(() => this.refresh(), REFRESH);
    this.refresh();
  }

  /** What the feed tells of it; undefined if it does not, or not any more. */
  get values() {
    return this.state.nodes.get(this.address);
  }

  get name() {
    return this.values ? format.nodeName(this.values) : this.address;
  }

  /** How many clients would be dropped, in words; empty for none. */
  get clientsText() {
    const clients = this.values?.clients || 0;
    return clients ? format.counted(clients, "client") : "";
  }

  get isReadOnly() {
    return this.session.readOnly;
  }

  /** Whether nothing can be asked of it: nobody knows it any more, or who looks may only look. */
  get isOff() {
    return this.isReadOnly || !this.values;
  }

  changed() {
    this.dispatchEvent(new Event("change"));
  }

  /** Call something of the gateway's, whose first argument is this node.
   *
   * @return a promise of the result; it fails with a Fault.
   */
  call(name, ...rest) {
    return this.link.call(name, [this.address, ...rest]);
  }

  /** Ask what is known of it now. */
  async refresh() {
    if (document.hidden || !this.link.up || this.ended.signal.aborted) return;
    // One question at a time; what is asked for meanwhile may be newer than its answer.
    this.isAgain = Boolean(this.asking);
    if (this.asking) return;
    this.asking = true;
    try {
      this.details = await this.call("show");
    } catch (fault) {
      // A lost connection is said elsewhere.
      if (fault.code === UNKNOWN_NODE) this.details = null;
    }
    this.asking = false;
    if (this.ended.signal.aborted) return;
    this.changed();
    if (this.isAgain) this.refresh();
  }

  /** It was told to restart: what was set and not written is as it was before. */
  restarted() {
    this.dispatchEvent(new Event("restart"));
    this.refresh();
  }

  /** A file was applied: its settings may be others than those that are shown. */
  applied() {
    this.dispatchEvent(new Event("applied"));
    this.refresh();
  }

  /** Close its panel. */
  leave() {
    if (place.get("node") === this.address) place.set({ node: null, tab: null, tap: null });
  }

  close() {
    clearInterval(this.timer);
    this.ended.abort();
  }
}
