// What is to be seen of a transcript: its rows, drawn once per frame of the screen, with the end in
// sight unless the reader has scrolled away; and what is searched for in them.

import { element, setText } from "./dom.js";
import { droppedText, timeText } from "./terminal-paper.js";
import { AUTO, HEX, Rows } from "./terminal-rows.js";

/** Bytes in a line of a dump, and the width in pixels from which there are more. */
const NARROW = 8;
const WIDE = 16;
const WIDE_FROM = 640;

export class TerminalOutput {
  /** @param place: the element that it is drawn into.
   * @param onFound: called with the number of the row that is looked at, and how many were found.
   */
  constructor(place, onFound) {
    this.place = place;
    this.onFound = onFound;
    this.transcript = null;
    this.form = AUTO;
    this.width = WIDE;
    this.drawn = [];
    this.query = "";
    this.found = null;
    this.follows = true;
    this.waiting = false;
    this.cut = element("div", { class: "row notice" });
    place.addEventListener("scroll", () => {
      this.follows = this.isAtEnd();
    });
    // The keyboard of a phone makes the window lower: the last line stays in sight.
    new ResizeObserver(() => this.resized()).observe(place);
  }

  /** Show another transcript; null for none. */
  show(transcript) {
    if (this.transcript) this.transcript.changed = null;
    this.transcript = transcript;
    if (!transcript) return;
    transcript.changed = () => this.ask();
    this.follows = true;
    this.drawAll();
  }

  /** @param form: how bytes are shown, see `Rows`. */
  setForm(form) {
    this.form = form;
    this.drawAll();
  }

  setTimes(shown) {
    this.place.classList.toggle("timed", shown);
    if (this.follows) this.toEnd();
  }

  resized() {
    const { clientWidth } = this.place;
    if (!clientWidth) return;
    const width = clientWidth < WIDE_FROM ? NARROW : WIDE;
    if (width !== this.width) {
      this.width = width;
      this.drawAll();
    } else if (this.follows) this.toEnd();
  }

  // --- Drawing ---------------------------------------------------------------------------------

  ask() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => this.draw());
  }

  drawAll() {
    if (!this.transcript) return;
    this.rows = new Rows(this.form, this.width);
    this.done = this.transcript.first - 1;
    this.drawn = [];
    this.found = null;
    // What was said already is not said again by a screen reader.
    this.place.setAttribute("aria-live", "off");
    this.place.replaceChildren();
    this.draw();
    requestAnimationFrame(() => this.place.setAttribute("aria-live", "polite"));
  }

  draw() {
    this.waiting = false;
    const { transcript, rows, place } = this;
    if (!transcript) return;
    const { first, number } = transcript;
    // A page in the background draws nothing, however much comes: some of it may be gone.
    const from = Math.max(this.done + 1, first);
    for (const piece of transcript.pieces.slice(from - first)) rows.add(piece);
    this.done = number;
    const made = [];
    for (const row of rows.take()) {
      if (!row.shown) this.make(row, made);
      setText(row.data, rows.textOf(row));
      this.mark(row);
    }
    place.append(...made);
    let gone = 0;
    while (gone < this.drawn.length && this.drawn[gone].last < first) {
      this.drawn[gone].shown.remove();
      gone += 1;
    }
    this.drawn.splice(0, gone);
    if (transcript.dropped) {
      setText(this.cut, droppedText(transcript));
      if (!this.cut.isConnected) place.prepend(this.cut);
    } else this.cut.remove();
    if (this.query) this.tellFound();
    if (this.follows) this.toEnd();
  }

  make(row, made) {
    row.data = element("span", { class: "data" });
    const dump = row.form === HEX ? " dump" : "";
    const time = element("time", {}, timeText(row.time));
    row.shown = element("div", { class: `row ${row.kind}${dump}` }, time, row.data);
    this.drawn.push(row);
    made.push(row.shown);
  }

  isAtEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.place;
    return scrollHeight - scrollTop - clientHeight < 24;
  }

  toEnd() {
    this.place.scrollTop = this.place.scrollHeight;
  }

  // --- Searching -------------------------------------------------------------------------------

  /** Mark the rows that have a text, and go to the last of them. */
  search(query) {
    this.query = query.toLowerCase();
    this.found?.shown.classList.remove("current");
    this.found = null;
    for (const row of this.drawn) this.mark(row);
    if (this.query) this.step(-1);
    this.tellFound();
  }

  mark(row) {
    const isHit = this.query !== "" && row.data.textContent.toLowerCase().includes(this.query);
    if (isHit === Boolean(row.isHit)) return;
    row.isHit = isHit;
    row.shown.classList.toggle("hit", isHit);
  }

  /** Go to the row that was found before (-1) or after (1) the one that is looked at. */
  step(by) {
    const hits = this.drawn.filter((row) => row.isHit);
    if (!hits.length) return;
    const at = hits.indexOf(this.found);
    const next = at < 0 ? hits.length - 1 : (at + by + hits.length) % hits.length;
    this.found?.shown.classList.remove("current");
    this.found = hits[next];
    this.found.shown.classList.add("current");
    this.found.shown.scrollIntoView({ block: "nearest" });
    this.tellFound();
  }

  tellFound() {
    const hits = this.query ? this.drawn.filter((row) => row.isHit) : [];
    this.onFound(hits.indexOf(this.found) + 1, hits.length);
  }
}
