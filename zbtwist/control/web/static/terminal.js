// A terminal to one node's serial line. The gateway treats it as one more client of the node.
//
// What came and went is kept as pieces of bytes, at most SCROLLBACK of them, so that the view can
// change between text and hex. New pieces are drawn once per frame of the screen.

import { byId, element, setText } from "./dom.js";
import { count, nodeName, portText } from "./format.js";

/** How many bytes, and how many pieces, are kept and shown. */
const SCROLLBACK = 65536;
const MAXIMUM_PIECES = 2000;

/** Bytes that may wait in the browser until the gateway takes them. */
const MAXIMUM_WAITING = 65536;

/** What ends what is sent as text, by the choice in the page. */
const ENDS = { cr: "\r", crlf: "\r\n", lf: "\n", none: "" };

const encoder = new TextEncoder();

/** Text without control characters: each is shown by its picture; line ends become newlines. */
function printable(text) {
  return text
    .replace(/\r\n?/g, "\n")
    .replace(/[\u0000-\u0008\u000b-\u001f]/g, (letter) =>
      String.fromCharCode(0x2400 + letter.charCodeAt(0)),
    )
    .replace(/\u007f/g, "\u2421")
    .replace(/[\u0080-\u009f\u202a-\u202e\u2066-\u2069]/g, "\ufffd");
}

function hex(bytes) {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

function hexLines(bytes) {
  const lines = [];
  for (let start = 0; start < bytes.length; start += 16) {
    const part = bytes.subarray(start, start + 16);
    const letters = [...part].map((byte) =>
      byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "·",
    );
    lines.push(`${hex(part).padEnd(49)}${letters.join("")}\n`);
  }
  return lines.join("");
}

/** Read bytes written in hexadecimal.
 *
 * @throws Error with a sentence, if something else stands there.
 */
export function parseHex(text) {
  const words = text.trim().replace(/0x/gi, "").split(/[\s,:]+/).filter(Boolean);
  const bytes = [];
  for (const word of words) {
    if (!/^([0-9a-f]{2})+$/i.test(word)) {
      throw new Error(`“${word}” is no byte: write two hexadecimal digits each, as in 41 0d.`);
    }
    for (let at = 0; at < word.length; at += 2) bytes.push(parseInt(word.slice(at, at + 2), 16));
  }
  if (!bytes.length) throw new Error("Write two hexadecimal digits for each byte, as in 41 0d.");
  return Uint8Array.from(bytes);
}

export class Terminal {
  constructor(state, session) {
    this.state = state;
    this.session = session;
    this.dialog = byId("terminal-dialog");
    this.output = byId("terminal-output");
    this.input = byId("terminal-input");
    this.pieces = [];
    this.size = 0;
    this.lines = [];
    this.history = [];
    this.place = 0;
    this.drawing = false;
    this.follows = true;
    this.dialog.addEventListener("close", () => this.leave());
    byId("terminal-again").addEventListener("click", () => {
      this.connect();
      this.input.focus();
    });
    byId("terminal-clear").addEventListener("click", () => this.clear());
    for (const choice of document.getElementsByName("terminal-view")) {
      choice.addEventListener("change", () => this.drawAll());
    }
    byId("terminal-end").addEventListener("change", () => this.showHow());
    byId("terminal-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.send();
    });
    this.input.addEventListener("keydown", (event) => this.recall(event));
    // The keyboard of a phone makes the window lower: the last line stays in sight.
    this.output.addEventListener("scroll", () => {
      this.follows = this.isAtEnd();
    });
    new ResizeObserver(() => {
      if (this.follows) this.output.scrollTop = this.output.scrollHeight;
    }).observe(this.output);
    state.addEventListener("change", () => this.showTitle());
    this.showHow();
  }

  open(address) {
    this.address = address;
    this.clear();
    this.history = [];
    setText(byId("terminal-error"), "");
    this.input.value = "";
    this.showTitle();
    this.dialog.showModal();
    this.input.focus();
    this.connect();
  }

  showTitle() {
    if (!this.address) return;
    const node = this.state.nodes.get(this.address);
    const name = node ? nodeName(node) : this.address;
    setText(byId("terminal-title"), `Terminal of ${name}`);
  }

  async connect() {
    this.leave();
    // What stands for the socket until there is one.
    const begun = { close() {} };
    this.socket = begun;
    this.reason = "";
    this.isOpen = false;
    this.decoder = new TextDecoder();
    byId("terminal-again").hidden = true;
    this.say("connecting…");
    let url;
    try {
      url = await this.session.address(`terminal/${this.address.replaceAll(":", "")}`);
    } catch {
      if (begun === this.socket) this.closed();
      return;
    }
    if (begun !== this.socket) return;
    url.protocol = url.protocol.replace("http", "ws");
    const socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    socket.addEventListener("message", (event) => {
      if (socket === this.socket) this.heard(event.data);
    });
    socket.addEventListener("close", () => {
      if (socket === this.socket) this.closed();
    });
  }

  /** End the connection because nobody wants it any more. */
  leave() {
    const { socket } = this;
    this.socket = null;
    socket?.close();
  }

  heard(data) {
    if (typeof data !== "string") {
      this.keep("received", new Uint8Array(data));
      return;
    }
    const message = JSON.parse(data);
    if (message.type === "open") {
      this.isOpen = true;
      const node = this.state.nodes.get(this.address);
      const port = node ? portText(node) : "";
      this.say(port ? `open, beside the clients of port ${port}` : "open");
    } else if (message.type === "closed") {
      this.reason = message.reason;
    }
  }

  closed() {
    this.socket = null;
    const reason =
      this.reason ||
      (this.isOpen
        ? "The connection to the gateway was lost."
        : "The gateway did not open it; is the node still known, and has it a port?");
    this.isOpen = false;
    this.say("closed");
    this.keep("notice", encoder.encode(`The terminal was closed. ${reason}`));
    byId("terminal-again").hidden = false;
  }

  say(text) {
    setText(byId("terminal-state"), text);
  }

  // --- Sending ---------------------------------------------------------------------------------

  showHow() {
    const how = byId("terminal-end").value;
    const label = { hex: "Send bytes", none: "Send text" }[how] || "Send a line";
    setText(byId("terminal-label"), label);
    this.input.placeholder = how === "hex" ? "41 54 0d" : "";
  }

  send() {
    const error = byId("terminal-error");
    setText(error, "");
    const how = byId("terminal-end").value;
    let bytes;
    try {
      const { value } = this.input;
      bytes = how === "hex" ? parseHex(value) : encoder.encode(value + ENDS[how]);
    } catch (fault) {
      setText(error, fault.message);
      return;
    }
    if (!bytes.length) return;
    if (!this.isOpen) {
      setText(error, "The terminal is not open, so nothing was sent.");
    } else if (this.socket.bufferedAmount > MAXIMUM_WAITING) {
      setText(error, "The node has not taken yet what was sent before; send this again later.");
    } else {
      this.socket.send(bytes);
      this.keep("sent", bytes);
      this.history.push(this.input.value);
      if (this.history.length > 100) this.history.shift();
      this.place = this.history.length;
      this.input.value = "";
    }
  }

  /** Arrow up and down bring back what was sent before. */
  recall(event) {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!step || !this.history.length) return;
    event.preventDefault();
    this.place = Math.max(0, Math.min(this.history.length, this.place + step));
    this.input.value = this.history[this.place] ?? "";
  }

  // --- What is shown ---------------------------------------------------------------------------

  clear() {
    this.pieces = [];
    this.size = 0;
    this.dropped = 0;
    this.fresh = [];
    this.lines = [];
    this.output.replaceChildren();
  }

  keep(kind, bytes) {
    const kept = bytes.length > SCROLLBACK ? bytes.subarray(-SCROLLBACK) : bytes;
    // Decoded as it comes: a letter may be cut by the border of two messages.
    const isCut = kind === "received";
    const decoder = isCut ? this.decoder : new TextDecoder();
    const text = decoder.decode(kept, { stream: isCut });
    const piece = { kind, bytes: kept, text };
    this.pieces.push(piece);
    this.size += kept.length;
    while (this.size > SCROLLBACK || this.pieces.length > MAXIMUM_PIECES) {
      const old = this.pieces.shift();
      this.size -= old.bytes.length;
      this.dropped += old.bytes.length;
    }
    this.fresh.push(piece);
    // A page in the background draws nothing, however much comes.
    while (this.fresh.length > this.pieces.length) this.fresh.shift();
    if (!this.drawing) {
      this.drawing = true;
      requestAnimationFrame(() => this.draw());
    }
  }

  isHex() {
    return [...document.getElementsByName("terminal-view")].some(
      (choice) => choice.checked && choice.value === "hex",
    );
  }

  drawAll() {
    this.fresh = [...this.pieces];
    this.lines = [];
    this.output.replaceChildren();
    this.draw();
  }

  draw() {
    this.drawing = false;
    const { output } = this;
    const atEnd = this.isAtEnd();
    const asHex = this.isHex();
    for (const piece of this.fresh) this.drawPiece(piece, asHex);
    this.fresh = [];
    const kept = new Set(this.pieces);
    while (this.lines.length && !kept.has(this.lines[0].piece)) this.lines.shift().span.remove();
    if (this.dropped && !this.cut?.isConnected) {
      this.cut = element("div", { class: "notice" });
      output.prepend(this.cut);
    }
    if (this.cut) setText(this.cut, `${count(this.dropped)} earlier bytes are not kept.`);
    if (atEnd) output.scrollTop = output.scrollHeight;
  }

  isAtEnd() {
    return this.output.scrollHeight - this.output.scrollTop - this.output.clientHeight < 24;
  }

  drawPiece(piece, asHex) {
    let text;
    if (piece.kind === "notice") text = piece.text;
    else text = asHex ? hexLines(piece.bytes) : printable(piece.text);
    // What is sent, and what the gateway says, begins a line of its own.
    const block = asHex || piece.kind !== "received";
    const span = element(block ? "div" : "span", { class: piece.kind }, text);
    this.output.append(span);
    this.lines.push({ piece, span });
  }
}
