// The gateway's events, as they come. The stream is open only while somebody can see the view, and
// goes on where it ended: the gateway keeps the last events.
//
// A stream holds one of the six HTTP/1.1 connections that a browser opens to a host, for all its
// tabs together. Were it kept in tabs that nobody looks at, the seventh would not even load.

import { byId, element, setAttribute, setText } from "./dom.js";
import { clock, counted, moment } from "./format.js";

/** How many events are kept and shown. */
const MAXIMUM_LINES = 2000;

/** Milliseconds for which a page that is no longer seen keeps the stream: a glance at another tab
 * needs no new one. */
const GLANCE = 1000;

/** Milliseconds after which a stream that has not begun is said to be waited for. */
const SOON = 3000;

const LEVELS = { debug: 0, info: 1, warn: 2, error: 3, critical: 3 };
const WORDS = { warn: "warning" };

export class LogView {
  constructor(link, tracing, session) {
    this.link = link;
    this.session = session;
    this.tracing = tracing;
    this.shown = false;
    this.paused = false;
    this.lastSeq = 0;
    this.lastId = "0";
    this.events = [];
    this.fresh = [];
    this.lines = byId("log-lines");
    // Another size of the window leaves the last line in sight.
    this.follows = true;
    this.lines.addEventListener("scroll", () => {
      this.follows = this.isAtEnd();
    });
    new ResizeObserver(() => {
      if (this.follows) this.lines.scrollTop = this.lines.scrollHeight;
    }).observe(this.lines);
    byId("log-filter").addEventListener("input", () => this.drawAll());
    byId("log-level").addEventListener("change", () => this.drawAll());
    byId("log-pause").addEventListener("click", () => this.pause());
    byId("log-clear").addEventListener("click", () => {
      this.events = [];
      this.drawAll();
    });
    byId("log-frames").addEventListener("click", () => this.trace());
    tracing.addEventListener("change", () => {
      tracing.show(byId("log-frames"), "", "frames");
      this.count();
    });
    link.addEventListener("up", () => this.restart());
    link.addEventListener("down", () => this.stop());
    document.addEventListener("visibilitychange", () => this.look());
  }

  show(shown) {
    this.shown = shown;
    if (shown) this.restart();
    else this.stop();
  }

  /** The page is seen again, or no longer. */
  look() {
    clearTimeout(this.glance);
    if (document.hidden) this.glance = setTimeout(() => this.stop(), GLANCE);
    else if (!this.source && !this.begun) this.restart();
  }

  async restart() {
    this.stop();
    if (!this.shown || !this.link.up || document.hidden) return;
    this.tracing.call().catch(() => {});
    const begun = {};
    this.begun = begun;
    let url;
    try {
      url = await this.session.address("events");
    } catch {
      if (begun === this.begun) this.tryLater();
      return;
    }
    if (begun !== this.begun) return;
    url.searchParams.set("from", this.lastId);
    this.source = new EventSource(url);
    for (const kind of ["log", "frame", "gap", "restart"]) {
      this.source.addEventListener(kind, (event) => this.heard(kind, event));
    }
    this.source.addEventListener("error", () => this.failed());
    this.source.addEventListener("open", () => this.setLate(false));
    this.late = setTimeout(() => this.setLate(true), SOON);
  }

  setLate(isLate) {
    clearTimeout(this.late);
    this.isLate = isLate;
    this.count();
  }

  stop() {
    this.begun = null;
    this.source?.close();
    this.source = null;
    clearTimeout(this.again);
    clearTimeout(this.late);
  }

  /** The browser gives up for good if the answer is not a stream; try again later ourselves. */
  failed() {
    if (this.source?.readyState === EventSource.CLOSED) this.tryLater();
  }

  tryLater() {
    this.stop();
    this.setLate(true);
    this.again = setTimeout(() => this.restart(), 2000);
  }

  heard(kind, { data, lastEventId }) {
    const event = { time: Date.now() / 1000, level: "info", ...JSON.parse(data) };
    if (kind === "restart") {
      // The numbers begin anew with each run of the gateway.
      this.lastSeq = 0;
    } else if (kind !== "gap") {
      if (event.seq <= this.lastSeq) return;
      this.lastSeq = event.seq;
      this.lastId = lastEventId || String(event.seq);
    }
    this.events.push(event);
    if (this.events.length > MAXIMUM_LINES) this.events.shift();
    this.fresh.push(event);
    if (this.fresh.length > MAXIMUM_LINES) this.fresh.shift();
    if (!this.drawing) {
      this.drawing = true;
      requestAnimationFrame(() => this.draw());
    }
  }

  isWanted(event) {
    const level = LEVELS[event.level] ?? 1;
    if (level < Number(byId("log-level").value)) return false;
    return event.text.toLowerCase().includes(this.words);
  }

  drawAll() {
    this.fresh = [...this.events];
    this.lines.replaceChildren();
    this.draw(true);
  }

  /** @param anyway: also while it is paused. */
  draw(anyway = false) {
    this.drawing = false;
    this.words = byId("log-filter").value.toLowerCase();
    if (!this.paused || anyway) {
      const { lines } = this;
      const atEnd = this.isAtEnd();
      const made = document.createDocumentFragment();
      for (const event of this.fresh) {
        if (this.isWanted(event)) made.append(this.line(event));
      }
      this.fresh = [];
      lines.append(made);
      while (lines.childElementCount > MAXIMUM_LINES) lines.firstChild.remove();
      if (atEnd || anyway) lines.scrollTop = lines.scrollHeight;
    }
    this.count();
  }

  isAtEnd() {
    return this.lines.scrollHeight - this.lines.scrollTop - this.lines.clientHeight < 24;
  }

  line(event) {
    const level = event.level in LEVELS ? event.level : "info";
    const time = element("time", { title: moment(event.time) }, clock(event.time));
    const word = element("span", { class: "level" }, WORDS[event.level] || event.level);
    return element("div", { class: `line ${level}` }, time, word, element("span", {}, event.text));
  }

  count() {
    const shown = this.lines.childElementCount;
    let text = `${counted(shown, "event")} shown of ${counted(this.events.length, "event")} kept.`;
    if (this.paused) {
      const waiting = this.fresh.filter((event) => this.isWanted(event)).length;
      text = `Paused; ${counted(waiting, "new event")} not shown yet.`;
    }
    const traced = this.tracing.all ? 0 : this.tracing.nodes.size;
    if (traced) text += ` The frames of ${counted(traced, "node")} are traced.`;
    if (this.isLate) {
      text +=
        " New ones do not come yet: too many windows may show the log, " +
        "here or elsewhere; close some.";
    }
    setText(byId("log-state"), text);
  }

  pause() {
    this.paused = !this.paused;
    const button = byId("log-pause");
    setAttribute(button, "aria-pressed", String(this.paused));
    setText(button, this.paused ? "Go on" : "Pause");
    this.draw();
  }

  async trace() {
    const error = byId("log-error");
    error.hidden = true;
    try {
      await this.tracing.switch("");
    } catch (fault) {
      setText(error, fault.message);
      error.hidden = false;
    }
  }
}
