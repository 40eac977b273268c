// The connection to one node's stream: a terminal, which is one more client of the node's port, or
// a tap, which only looks on. It opens again by itself until it is left: when the port moves, when
// the gateway restarts, when the connection is lost. What becomes of it is said in the transcript.

import { portText } from "./format.js";
import { fromHex } from "./terminal-bytes.js";

export const TERMINAL = "terminal";
export const TAP = "tap";

/** Milliseconds until it is tried again; each time twice as long, until it was open for a while. */
const FIRST_DELAY = 250;
const LAST_DELAY = 5000;
const A_WHILE = 2000;

/** Milliseconds after which an attempt counts as lost. */
const PATIENCE = 10000;

/** Bytes that may wait in the browser until the gateway takes them. */
const MAXIMUM_WAITING = 65536;

const TITLES = { [TERMINAL]: "The terminal", [TAP]: "The tap" };

/** Tells "change" when `words` or `isOpen` do. */
export class Connection extends EventTarget {
  constructor({ state, session, link }, address, transcript) {
    super();
    this.state = state;
    this.session = session;
    this.link = link;
    this.address = address;
    this.transcript = transcript;
    /** What is wanted; null for nothing. */
    this.mode = null;
    this.isOpen = false;
    /** How it is, in a few words. */
    this.words = "";
    this.delay = FIRST_DELAY;
    const until = new AbortController();
    this.until = until;
    const { signal } = until;
    link.addEventListener("up", () => this.attempt(), { signal });
    link.addEventListener("down", () => this.linkDown(), { signal });
    state.addEventListener("change", () => this.look(), { signal });
    // A browser may keep a page that was left, with all that it has open, for who comes back.
    addEventListener("pagehide", () => this.left(true), { signal });
    addEventListener("pageshow", () => this.left(false), { signal });
  }

  /** Open it, and keep it open. */
  want(mode) {
    if (this.mode === mode) return;
    if (this.mode) this.leave();
    this.mode = mode;
    this.again();
  }

  /** Try at once. */
  again() {
    this.isFinal = false;
    this.told = "";
    this.delay = FIRST_DELAY;
    this.stopWaiting();
    this.attempt();
  }

  /** Nobody wants it any more. */
  leave() {
    const { socket, mode } = this;
    this.stopWaiting();
    this.socket = null;
    this.mode = null;
    socket?.close();
    if (this.isOpen) this.transcript.say(`${TITLES[mode]} was closed.`);
    this.show(false, "closed");
  }

  /** It is never wanted again. */
  drop() {
    this.leave();
    this.until.abort();
  }

  /** Send bytes to the node.
   *
   * @throws Error with a sentence, if they cannot be sent now.
   */
  send(bytes) {
    if (!this.isOpen || this.mode !== TERMINAL) {
      throw new Error("The terminal is not open, so nothing was sent.");
    }
    if (this.socket.bufferedAmount > MAXIMUM_WAITING) {
      throw new Error("The node has not taken yet what was sent before; send this again later.");
    }
    this.socket.send(bytes);
    this.transcript.keep("sent", bytes);
  }

  // --- Opening, and opening again --------------------------------------------------------------

  show(isOpen, words) {
    if (this.isOpen === isOpen && this.words === words) return;
    this.isOpen = isOpen;
    this.words = words;
    this.dispatchEvent(new Event("change"));
  }

  stopWaiting() {
    clearTimeout(this.timer);
    this.timer = null;
  }

  /** What it waits for; "" if it may be tried. */
  obstacle() {
    const node = this.state.nodes.get(this.address);
    if (!this.link.up) return "waiting for the gateway";
    if (!node) return "waiting: the gateway does not know this node";
    if (this.mode === TERMINAL && !node.port) return "waiting: this node has no port";
    return "";
  }

  /** Something else is said of the nodes, maybe of this one. */
  look() {
    if (this.isOpen) this.show(true, this.openWords());
    else if (!this.timer) this.attempt();
  }

  left(isLeft) {
    this.isLeft = isLeft;
    if (!isLeft) this.attempt();
    else if (this.socket) this.lost(this.socket, "The page was left.");
  }

  async attempt() {
    if (!this.mode || this.socket || this.isFinal || this.isLeft) return;
    this.stopWaiting();
    const obstacle = this.obstacle();
    this.show(false, obstacle || "opening…");
    if (obstacle) return;
    // What stands for the socket until there is one.
    const begun = { close() {} };
    this.socket = begun;
    this.reason = "";
    let url;
    try {
      url = await this.session.address(this.path());
    } catch {
      this.lost(begun, "The gateway did not answer.");
      return;
    }
    if (begun !== this.socket) return;
    url.protocol = url.protocol.replace("http", "ws");
    const socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    const patience = setTimeout(() => this.lost(socket, "The gateway did not answer."), PATIENCE);
    socket.addEventListener("message", (event) => {
      clearTimeout(patience);
      if (socket === this.socket) this.heard(event.data);
    });
    socket.addEventListener("close", () => {
      clearTimeout(patience);
      const lost = this.isOpen
        ? "The connection to the gateway was lost."
        : "The gateway did not open it.";
      this.lost(socket, this.reason || lost);
    });
  }

  path() {
    const path = `${this.mode}/${this.address.replaceAll(":", "")}`;
    if (this.mode !== TAP || !this.tap) return path;
    return `${path}?tap=${this.tap}&seq=${this.seq}`;
  }

  linkDown() {
    if (this.socket) this.lost(this.socket, "The connection to the gateway was lost.");
    else if (this.mode && !this.isFinal) this.attempt();
  }

  /** It is closed, or was not opened. */
  lost(socket, reason) {
    if (socket !== this.socket) return;
    this.socket = null;
    socket.close();
    const title = TITLES[this.mode];
    if (this.isOpen) {
      const then = this.isFinal ? "" : " It opens again by itself.";
      this.transcript.say(`${title} was closed. ${reason}${then}`);
      if (performance.now() - this.openedAt > A_WHILE) this.delay = FIRST_DELAY;
    } else if (reason !== this.told) {
      // Not each time that the same comes of it.
      this.told = reason;
      this.transcript.say(`${title} is not open. ${reason}`);
    }
    this.show(false, this.isFinal ? "closed" : "closed; trying again");
    if (this.isFinal) return;
    this.timer = setTimeout(() => this.attempt(), this.delay);
    this.delay = Math.min(this.delay * 2, LAST_DELAY);
  }

  // --- What the gateway says -------------------------------------------------------------------

  heard(data) {
    if (typeof data !== "string") {
      this.transcript.keep("received", new Uint8Array(data));
      return;
    }
    const message = JSON.parse(data);
    if (message.type === "open") this.opened(message);
    else if (message.type === "packets") this.passed(message);
    else if (message.type === "values") this.transcript.tell(message);
    else if (message.type === "closed") {
      this.reason = message.reason;
      this.isFinal = message.retry === false;
    }
  }

  openWords() {
    if (this.mode === TAP) return "open, only looking on";
    const node = this.state.nodes.get(this.address);
    const port = node ? portText(node) : "";
    return port ? `open, beside the clients of port ${port}` : "open";
  }

  opened({ tap, seq }) {
    this.openedAt = performance.now();
    this.told = "";
    const words = this.openWords();
    this.show(true, words);
    let sentence = `${TITLES[this.mode]} is ${words}.`;
    if (this.mode === TAP && this.tap && tap !== this.tap) {
      sentence += " What passed since it was open before is not known.";
    }
    this.transcript.say(sentence);
    if (this.mode === TAP) [this.tap, this.seq] = [tap, seq];
  }

  passed({ seq, lost, packets }) {
    this.seq = seq;
    if (lost) this.transcript.say(`${lost} packets came too quickly, and are forgotten.`);
    for (const [time, direction, digits] of packets) {
      const kind = direction === "to_node" ? "sent" : "received";
      this.transcript.keep(kind, fromHex(digits), time * 1000);
    }
  }
}
