// What has come and gone at one node, piece by piece, as bytes, each with its time. What is more
// than a transcript may hold is dropped from its beginning, and counted.

import { counted, value } from "./format.js";

/** How many bytes, and how many pieces, are kept. */
export const KEPT_BYTES = 262144;
const KEPT_PIECES = 5000;

/** The kinds of pieces that have bytes of the stream. */
const STREAM = ["received", "sent"];

const encoder = new TextEncoder();

export class Transcript {
  constructor() {
    this.number = 0;
    /** Called when something has come. */
    this.changed = null;
    this.clear();
  }

  clear() {
    this.pieces = [];
    this.size = 0;
    this.dropped = 0;
    this.changed?.();
  }

  /** The number of the oldest piece that is kept. */
  get first() {
    return this.pieces.length ? this.pieces[0].number : this.number + 1;
  }

  /** @param kind: "received", from the node; "sent", to it; "notice"; or "values", what its decoder
   *     has made of what it said.
   * @param time: milliseconds since 1970.
   */
  keep(kind, bytes, time = Date.now()) {
    this.number += 1;
    const kept = bytes.length > KEPT_BYTES ? bytes.slice(-KEPT_BYTES) : bytes;
    this.dropped += bytes.length - kept.length;
    this.pieces.push({ number: this.number, kind, bytes: kept, time });
    this.size += kept.length;
    while (this.size > KEPT_BYTES || this.pieces.length > KEPT_PIECES) {
      const old = this.pieces.shift();
      this.size -= old.bytes.length;
      if (STREAM.includes(old.kind)) this.dropped += old.bytes.length;
    }
    this.changed?.();
  }

  /** Say what is no byte of either side. */
  say(sentence) {
    this.keep("notice", encoder.encode(sentence));
  }

  /** Say which values it has told.
   *
   * @param more: how many are not among them.
   */
  tell({ time, values, more }) {
    const parts = values.map(([name, one, unit]) => `${name} ${value(one, unit)}`);
    if (more) parts.push(`and ${counted(more, "more value")}`);
    this.keep("values", encoder.encode(parts.join(" · ")), time * 1000);
  }

  /** What came from the node, as it came. */
  received() {
    return this.pieces.filter(({ kind }) => kind === "received").map(({ bytes }) => bytes);
  }
}
