// The terminal of a node, which can be put into any element of the page. Transcripts and
// connections live on while something else is looked at: those of the last few nodes.

import { copy } from "./copying.js";
import { element, setText } from "./dom.js";
import { counted, nodeName } from "./format.js";
import { place } from "./place.js";
import { parseHex } from "./terminal-bytes.js";
import { Connection, TAP, TERMINAL } from "./terminal-connection.js";
import { button, choice, menu, remember, remembered } from "./terminal-controls.js";
import { TerminalOutput } from "./terminal-output.js";
import { copyText, fileName, fileText, save } from "./terminal-paper.js";
import { AUTO, HEX, TEXT } from "./terminal-rows.js";
import { Transcript } from "./terminal-transcript.js";

/** How many nodes' transcripts and connections are kept, and how many lines that were sent. */
const MAXIMUM_KEPT = 8;
const MAXIMUM_HISTORY = 100;

/** What ends what is sent as text, by the choice in the page. */
const ENDS = { cr: "\r", crlf: "\r\n", lf: "\n", none: "" };

/** What the reader chose before, in this browser. */
const ENDING = "zbtwist terminal ending";
const TIMES = "zbtwist terminal times";

const encoder = new TextEncoder();

export class TerminalView {
  constructor({ state, session, link }) {
    this.parts = { state, session, link };
    this.state = state;
    /** By address, the one that was looked at last behind the others. */
    this.kept = new Map();
    /** What is on the page, and the address that was last. */
    this.current = null;
    this.shown = "";
    this.form = AUTO;
    this.build();
    this.output = new TerminalOutput(this.lines, (place, all) => this.showFound(place, all));
    this.times.checked = remembered(TIMES) === "yes";
    this.output.setTimes(this.times.checked);
    if (remembered(ENDING) in ENDS || remembered(ENDING) === "hex") {
      this.ending.value = remembered(ENDING);
    }
    this.showHow();
    place.addEventListener("change", ({ detail }) => {
      if (this.current && detail.has("tap")) this.setMode(place.get("tap") ? TAP : TERMINAL);
    });
  }

  // --- Where it is -----------------------------------------------------------------------------

  /** Show the terminal of a node in an element, and open it. */
  mount(room, address) {
    const isOther = this.shown !== address;
    this.shown = address;
    this.current = this.recall(address);
    room.append(this.root);
    if (isOther) {
      this.input.value = "";
      this.say("");
      this.endSearch();
    }
    this.output.show(this.current.transcript);
    this.setMode(place.get("tap") ? TAP : TERMINAL);
  }

  /** Show it no more; it stays open. */
  unmount() {
    this.output.show(null);
    this.root.remove();
    this.current = null;
  }

  /** Close the connections to all nodes. What has come and gone is kept. */
  leave() {
    for (const { connection } of this.kept.values()) connection.leave();
  }

  focus() {
    (this.sendForm.hidden ? this.lines : this.input).focus();
  }

  recall(address) {
    let one = this.kept.get(address);
    if (!one) {
      const transcript = new Transcript();
      const connection = new Connection(this.parts, address, transcript);
      connection.addEventListener("change", () => this.update());
      one = { address, transcript, connection, mode: TERMINAL, history: [], place: 0 };
    }
    this.kept.delete(address);
    this.kept.set(address, one);
    if (this.kept.size > MAXIMUM_KEPT) {
      const [oldest] = this.kept.keys();
      this.kept.get(oldest).connection.drop();
      this.kept.delete(oldest);
    }
    return one;
  }

  // --- What it is made of ----------------------------------------------------------------------

  build() {
    this.modes = choice(
      "terminal-mode",
      "How to be there",
      [
        [TERMINAL, "Terminal", "One more client of the port: hears the node, and writes to it"],
        [TAP, "Tap", "Only looks on, both ways: sees what all clients send, is none itself"],
      ],
      (mode) => place.set({ tap: mode === TAP ? "yes" : null }),
    );
    this.status = element("p", { id: "terminal-state", class: "muted grow", role: "status" });
    this.openNow = button("terminal-again", "Open now", () => {
      this.current.connection.again();
      this.focus();
    });
    this.forms = choice(
      "terminal-view",
      "Show as",
      [
        [AUTO, "Auto", "Text as text, what is binary in hexadecimal"],
        [TEXT, "Text", "Everything as text"],
        [HEX, "Hex", "Everything in hexadecimal"],
      ],
      (form) => {
        this.form = form;
        this.output.setForm(form);
      },
    );
    this.times = element("input", { type: "checkbox", id: "terminal-times" });
    this.times.addEventListener("change", () => {
      this.output.setTimes(this.times.checked);
      remember(TIMES, this.times.checked ? "yes" : "no");
    });
    this.lines = element("div", {
      id: "terminal-output",
      class: "terminal-output",
      tabindex: "0",
      role: "log",
      "aria-live": "polite",
      "aria-label": "What the node says and what is sent to it",
    });
    this.error = element("p", { id: "terminal-error", class: "error", role: "alert" });
    this.root = element(
      "div",
      { class: "terminal" },
      element("div", { class: "terminal-bar" }, this.modes, this.status, this.openNow),
      element(
        "div",
        { class: "terminal-bar" },
        this.forms,
        element("label", { class: "tick" }, this.times, " Times"),
        this.buildSearch(),
        ...this.buildTaking(),
      ),
      this.lines,
      this.buildForm(),
      this.error,
    );
  }

  buildSearch() {
    this.query = element("input", {
      type: "search",
      id: "terminal-search",
      placeholder: "Search in it",
      "aria-label": "Search in the transcript",
      "aria-describedby": "terminal-found",
      autocomplete: "off",
      spellcheck: "false",
      title: "Enter goes to the one before, Shift and Enter to the one after",
    });
    this.query.addEventListener("input", () => this.output.search(this.query.value));
    this.query.addEventListener("keydown", (event) => {
      if (event.key === "Enter") {
        event.preventDefault();
        this.output.step(event.shiftKey ? 1 : -1);
      } else if (event.key === "Escape" && this.query.value) {
        // It ends the search, and nothing else.
        event.preventDefault();
        event.stopPropagation();
        this.endSearch();
      }
    });
    this.foundText = element("span", { id: "terminal-found", class: "muted", role: "status" });
    return element("div", { class: "terminal-search grow" }, this.query, this.foundText);
  }

  /** What takes the transcript somewhere else. */
  buildTaking() {
    this.menu = menu(
      "terminal-save",
      "Save",
      button("terminal-save-bytes", "Received bytes, as they came", () => this.saveBytes()),
      button("terminal-save-text", "Transcript, with times", () => this.saveText()),
    );
    return [
      button("terminal-copy", "Copy", () => this.copy()),
      this.menu,
      button("terminal-clear", "Clear", () => this.clear()),
    ];
  }

  buildForm() {
    this.label = element("span", { id: "terminal-label" });
    this.input = element("input", {
      id: "terminal-input",
      spellcheck: "false",
      autocapitalize: "off",
      maxlength: "4000",
      "aria-describedby": "terminal-error",
    });
    // Arrow up and down bring back what was sent before.
    this.input.addEventListener("keydown", (event) => this.repeat(event));
    this.ending = element(
      "select",
      { id: "terminal-end" },
      element("option", { value: "cr" }, "line, CR"),
      element("option", { value: "crlf" }, "line, CR LF"),
      element("option", { value: "lf" }, "line, LF"),
      element("option", { value: "none" }, "text as it is"),
      element("option", { value: "hex" }, "hex bytes"),
    );
    this.ending.addEventListener("change", () => {
      remember(ENDING, this.ending.value);
      this.showHow();
    });
    this.sendForm = element(
      "form",
      { id: "terminal-form", class: "terminal-bar", autocomplete: "off" },
      element("label", { class: "grow" }, this.label, this.input),
      element("label", {}, "Send as", this.ending),
      element("button", { class: "primary" }, "Send"),
    );
    this.sendForm.addEventListener("submit", (event) => {
      event.preventDefault();
      this.send();
    });
    return this.sendForm;
  }

  // --- What it shows ---------------------------------------------------------------------------

  update() {
    if (!this.current) return;
    const { connection, mode } = this.current;
    const { readOnly } = this.parts.session;
    setText(this.status, connection.words);
    this.openNow.hidden = readOnly || connection.isOpen || connection.words === "opening…";
    this.sendForm.hidden = readOnly || mode === TAP;
  }

  say(text, isError = true) {
    this.error.classList.toggle("error", isError);
    setText(this.error, text);
  }

  setMode(mode) {
    this.current.mode = mode;
    this.modes.choose(mode);
    this.current.connection.want(mode);
    this.update();
  }

  showFound(place, all) {
    const nth = place ? `${place} of ${all}` : counted(all, "row");
    setText(this.foundText, this.output.query ? (all ? nth : "not found") : "");
  }

  endSearch() {
    this.query.value = "";
    this.output.search("");
  }

  clear() {
    this.current.transcript.clear();
    this.output.drawAll();
    this.say("");
  }

  // --- Taking it away --------------------------------------------------------------------------

  get name() {
    const node = this.state.nodes.get(this.current.address);
    return node ? nodeName(node) : this.current.address;
  }

  async copy() {
    const marked = document.getSelection();
    const isMarked = !marked.isCollapsed && this.lines.contains(marked.anchorNode);
    const { transcript } = this.current;
    const text = isMarked ? String(marked) : copyText(transcript, this.form, this.times.checked);
    const isCopied = await copy(text);
    const what = isMarked ? "What is marked" : "The transcript";
    if (isCopied) this.say(`${what} is copied.`, false);
    else this.say("The browser does not let this page copy: mark the text, and press Control-C.");
  }

  saveBytes() {
    const parts = this.current.transcript.received();
    this.menu.close();
    if (!parts.length) {
      this.say("Nothing has come from the node, so there is nothing to save.");
      return;
    }
    save(fileName(this.name, "bin"), parts, "application/octet-stream");
    const size = parts.reduce((sum, { length }) => sum + length, 0);
    this.say(`${counted(size, "byte")} saved.`, false);
  }

  saveText() {
    const title = `${this.name} (${this.current.address})`;
    const text = fileText(this.current.transcript, this.form, title);
    this.menu.close();
    save(fileName(this.name, "txt"), [text], "text/plain;charset=utf-8");
    this.say("The transcript is saved.", false);
  }

  // --- Sending ---------------------------------------------------------------------------------

  showHow() {
    const how = this.ending.value;
    setText(this.label, { hex: "Send bytes", none: "Send text" }[how] || "Send a line");
    this.input.placeholder = how === "hex" ? "41 54 0d" : "";
  }

  send() {
    const { value } = this.input;
    const how = this.ending.value;
    this.say("");
    try {
      const bytes = how === "hex" ? parseHex(value) : encoder.encode(value + ENDS[how]);
      if (!bytes.length) return;
      this.current.connection.send(bytes);
    } catch (fault) {
      this.say(fault.message);
      return;
    }
    const { history } = this.current;
    if (history.at(-1) !== value) history.push(value);
    if (history.length > MAXIMUM_HISTORY) history.shift();
    this.current.place = history.length;
    this.input.value = "";
  }

  repeat(event) {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    const { history, place } = this.current;
    if (!step || !history.length) return;
    event.preventDefault();
    this.current.place = Math.max(0, Math.min(history.length, place + step));
    this.input.value = history[this.current.place] ?? "";
  }
}
