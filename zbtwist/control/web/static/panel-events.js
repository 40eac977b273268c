// What the gateway's log has of one node: what happened, and its frames while they are traced.

import { resultLine, say } from "./asking.js";
import { element, setText } from "./dom.js";
import { clock, counted, moment } from "./format.js";

/** Milliseconds from one question to the next, while it is looked at. */
const REFRESH = 1000;

/** How many lines are kept and shown. */
const MAXIMUM_LINES = 500;

const WORDS = { info: "", warn: "warning" };

/** What is shown of what happened: those of which level, and all that matter more. */
const LEVELS = ["debug", "info", "warn", "error", "critical"];
const CHOICES = [
  ["debug", "all"],
  ["info", "info and above"],
  ["warn", "warnings and errors"],
];

/** Asks for the events of one kind, as long as somebody looks. */
class EventsTab {
  constructor(subject, kind) {
    this.subject = subject;
    this.kind = kind;
    /** The last event that is known, and those that are kept. */
    this.last = null;
    this.events = [];
    this.lines = element("div", {
      class: "log-lines",
      id: `${kind}-lines`,
      tabindex: "0",
      role: "log",
      "aria-live": "off",
    });
    this.none = element("p", { class: "muted" });
    this.error = resultLine(`${kind}-result`);
  }

  show() {
    this.timer = setInterval(() => this.ask(), REFRESH);
    this.ask();
  }

  hide() {
    clearInterval(this.timer);
  }

  async ask() {
    const { subject } = this;
    if (this.asking || document.hidden || !subject.link.up) return;
    this.asking = true;
    try {
      // From the last that is known: if it is not the first of the answer, numbers began anew with
      // another run of the gateway, or it is forgotten.
      const known = this.last;
      const events = await subject.link.call("trace", [known ? known.seq - 1 : 0, subject.address]);
      const isSame = events[0]?.seq === known?.seq && events[0]?.time === known?.time;
      if (!known || isSame) this.take(known ? events.slice(1) : events);
      else this.begin();
      say(this.error, "");
    } catch (fault) {
      if (subject.link.up) say(this.error, fault.message, true);
    }
    this.asking = false;
  }

  begin() {
    this.last = null;
    this.events = [];
    this.lines.replaceChildren();
  }

  take(events) {
    this.last = events.at(-1) ?? this.last;
    const fresh = events.filter((event) => (event.kind === "frame") === (this.kind === "frames"));
    this.events.push(...fresh);
    this.forget();
    this.draw(fresh);
  }

  /** Keep a bounded number of them: what matters least, and is oldest, goes first. */
  forget() {
    while (this.events.length > MAXIMUM_LINES) {
      const least = this.events.findIndex(({ level }) => level === LEVELS[0]);
      this.events.splice(Math.max(0, least), 1);
    }
  }

  /** Whether a line is made of it. */
  isWanted() {
    return true;
  }

  drawAll() {
    this.lines.replaceChildren();
    this.draw(this.events);
    this.lines.scrollTop = this.lines.scrollHeight;
  }

  draw(events) {
    const { lines } = this;
    const isAtEnd = lines.scrollHeight - lines.scrollTop - lines.clientHeight < 24;
    const wanted = events.filter((event) => this.isWanted(event)).slice(-MAXIMUM_LINES);
    lines.append(...wanted.map((event) => this.line(event)));
    while (lines.childElementCount > MAXIMUM_LINES) lines.firstChild.remove();
    this.update();
    if (wanted.length && isAtEnd) lines.scrollTop = lines.scrollHeight;
  }

  line(event) {
    const time = element("time", { title: moment(event.time) }, clock(event.time));
    const word = WORDS[event.level] ?? event.level;
    const parts = [element("span", {}, this.textOf(event))];
    if (word && event.kind !== "frame") parts.unshift(element("span", { class: "level" }, word));
    return element("div", { class: `line ${event.level}` }, time, ...parts);
  }

  /** Without who it is, where a sentence begins with that: the panel says it. */
  textOf({ text }) {
    const { address, name } = this.subject;
    for (const who of [`${name} (${address})`, address]) {
      for (const between of [": ", " "]) {
        if (!text.startsWith(who + between)) continue;
        const rest = text.slice(who.length + between.length);
        return rest[0].toUpperCase() + rest.slice(1);
      }
    }
    return text;
  }

  update() {
    const count = this.lines.childElementCount;
    this.lines.hidden = count === 0;
    this.none.hidden = count > 0;
  }
}

/** What happened to it. */
export class HappenedTab extends EventsTab {
  constructor(subject) {
    super(subject, "happened");
    this.lines.setAttribute("aria-label", "What happened to this node");
    this.none.hidden = true;
    this.lines.hidden = true;
    const options = CHOICES.map(([level, words]) => element("option", { value: level }, words));
    this.level = element("select", { id: "happened-level" }, ...options);
    // A node that goes on losing has hundreds of others.
    this.level.value = "info";
    this.level.addEventListener("change", () => this.drawAll());
    this.count = element("p", { class: "grow muted", role: "status", id: "happened-count" });
    this.element = element(
      "div",
      {},
      element(
        "div",
        { class: "bar" },
        this.count,
        element("label", { class: "beside" }, "Level ", this.level),
      ),
      this.error,
      this.lines,
      this.none,
    );
  }

  isWanted({ level }) {
    return LEVELS.indexOf(level) >= LEVELS.indexOf(this.level.value);
  }

  update() {
    super.update();
    const shown = this.lines.childElementCount;
    const all = this.events.length;
    const left = all - shown;
    setText(this.count, left > 0 ? `${counted(left, "event")} of less weight left out.` : "");
    setText(this.none, `The log has nothing${all ? " of that level" : ""} of this node.`);
  }
}

/** Its frames. */
export class FramesTab extends EventsTab {
  constructor(subject, { tracing }) {
    super(subject, "frames");
    this.tracing = tracing;
    this.lines.setAttribute("aria-label", "Frames of this node");
    this.button = element("button", { type: "button", id: "trace-node", "aria-pressed": "false" });
    this.button.addEventListener("click", () => this.trace());
    this.state = element("p", { class: "grow muted", role: "status", id: "trace-result" });
    this.element = element(
      "div",
      {},
      element("div", { class: "bar" }, this.state, this.button),
      this.error,
      this.lines,
      this.none,
    );
    const { signal } = subject.ended;
    tracing.addEventListener("change", () => this.update(), { signal });
    tracing.call().catch(() => {});
    this.update();
  }

  async trace() {
    try {
      await this.tracing.switch(this.subject.address);
      say(this.error, "");
    } catch (fault) {
      say(this.error, fault.message, true);
    }
    this.update();
  }

  update() {
    super.update();
    const { tracing, subject } = this;
    const isOn = tracing.isOn(subject.address);
    tracing.show(this.button, subject.address, "its frames");
    this.button.disabled = subject.isReadOnly;
    const count = this.lines.childElementCount;
    let text = "Its frames are not traced.";
    if (isOn) text = `Its frames are in the log from now on. ${counted(count, "frame")} so far.`;
    else if (tracing.all) text = "The frames of all nodes are traced.";
    setText(this.state, text);
    setText(this.none, isOn || tracing.all ? "None has come or gone yet." : "");
  }
}
