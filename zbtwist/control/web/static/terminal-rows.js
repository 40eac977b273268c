// How the pieces of a transcript become the rows of a view: lines of text, and dumps of what is
// binary. A row grows until its line has ended, something came from the other side, or nothing came
// for a while.

import * as look from "./terminal-bytes.js";

/** How bytes are shown. */
export const AUTO = "auto";
export const TEXT = "text";
export const HEX = "hex";

/** The longest row, in letters or bytes. */
const LONGEST_LINE = 2000;
const LONGEST_DUMP = 1024;

/** Milliseconds without a byte after which a dump ends. */
const PAUSE = 50;

const NOTHING = new Uint8Array();
const notices = new TextDecoder();

export class Rows {
  /** @param form: AUTO; TEXT or HEX whatever it is.
   * @param width: bytes in a line of a dump.
   */
  constructor(form, width) {
    this.form = form;
    this.width = width;
    this.open = null;
    /** Rows that are new, or have grown. */
    this.fresh = new Set();
    /** By kind: whether the last piece was binary, and whether it ended with a carriage return. */
    this.wasBinary = {};
    this.hadReturn = {};
  }

  /** Return those that are new, or have grown, since the last time. */
  take() {
    const { fresh } = this;
    this.fresh = new Set();
    return fresh;
  }

  add(piece) {
    const { kind } = piece;
    if (this.open?.kind !== kind) this.close();
    if (kind === "notice" || kind === "values") {
      this.begin(piece, TEXT).text = notices.decode(piece.bytes);
      this.close();
      return;
    }
    const rest = this.open?.rest || NOTHING;
    const bytes = rest.length ? look.joined([rest, piece.bytes]) : piece.bytes;
    const found = this.form === HEX ? null : look.inspect(bytes);
    const isBinary =
      !found || (this.form === AUTO && look.isBinary(bytes, found, this.wasBinary[kind]));
    this.wasBinary[kind] = isBinary;
    if (isBinary) this.addBytes(piece);
    else this.addText(piece, look.textOf(bytes, found), bytes.subarray(found.end));
  }

  begin(piece, form) {
    this.close();
    this.open = {
      kind: piece.kind,
      form,
      time: piece.time,
      until: piece.time,
      last: piece.number,
      text: "",
      parts: [],
      size: 0,
      offset: 0,
      rest: NOTHING,
    };
    this.fresh.add(this.open);
    return this.open;
  }

  /** The row has ended. */
  close() {
    const row = this.open;
    if (row?.rest.length) {
      // The letter that had begun is none.
      row.text += look.escaped(row.rest);
      row.rest = NOTHING;
      this.fresh.add(row);
    }
    this.open = null;
  }

  addBytes(piece) {
    this.hadReturn[piece.kind] = false;
    let row = this.open;
    const goesOn = row?.form === HEX && piece.time - row.until <= PAUSE;
    if (!goesOn || row.size + piece.bytes.length > LONGEST_DUMP) {
      const offset = goesOn ? row.offset + row.size : 0;
      row = this.begin(piece, HEX);
      row.offset = offset;
    }
    row.parts.push(piece.bytes);
    row.size += piece.bytes.length;
    row.until = piece.time;
    row.last = piece.number;
    this.fresh.add(row);
  }

  /** @param rest: the beginning of a letter of which more must come. */
  addText(piece, text, rest) {
    const { kind } = piece;
    let shown = text;
    // Its line feed comes with the next piece.
    if (this.hadReturn[kind] && shown.startsWith("\n")) shown = shown.slice(1);
    if (text) this.hadReturn[kind] = text.endsWith("\r");
    if (this.open?.form === HEX) this.close();
    if (this.open) this.open.rest = NOTHING;
    const lines = look.printable(shown.replace(/\r\n?/g, "\n")).split("\n");
    const unended = lines.pop();
    for (const line of lines) {
      this.extend(piece, line);
      this.close();
    }
    if (unended || rest.length) this.extend(piece, unended);
    if (rest.length) this.open.rest = rest.slice();
  }

  extend(piece, text) {
    let more = text;
    let row = this.open || this.begin(piece, TEXT);
    while (row.text.length + more.length > LONGEST_LINE) {
      const room = LONGEST_LINE - row.text.length;
      row.text += more.slice(0, room);
      more = more.slice(room);
      row = this.begin(piece, TEXT);
    }
    row.text += more;
    row.last = piece.number;
    this.fresh.add(row);
  }

  /** What is to be read in a row. */
  textOf(row) {
    return row.form === HEX ? look.dump(look.joined(row.parts), this.width, row.offset) : row.text;
  }
}

/** The rows of all that is in a transcript. */
export function rowsOf(transcript, form, width = 16) {
  const rows = new Rows(form, width);
  for (const piece of transcript.pieces) rows.add(piece);
  rows.close();
  return [...rows.take()].map((row) => ({ ...row, text: rows.textOf(row) }));
}
