// The lines of a node: what each is and reads, asking for a sample, setting outputs.

import { ask, resultLine, work } from "./asking.js";
import { element, setAttribute, setText } from "./dom.js";
import * as format from "./format.js";

export class PinsTab {
  constructor(subject) {
    this.subject = subject;
    this.rows = new Map();
    this.sample = element("button", { type: "button", class: "primary", id: "sample" }, "Sample");
    this.sample.addEventListener("click", () => this.takeSample());
    this.result = resultLine("sample-result");
    this.questions = element("div");
    this.table = element(
      "table",
      { id: "pins", class: "plain" },
      element("caption", { class: "unseen" }, "Lines of the node"),
      element(
        "thead",
        {},
        element(
          "tr",
          {},
          ...["Line", "Value", "Set up as", "Read", "Set"].map((title) =>
            element("th", { scope: "col" }, title),
          ),
        ),
      ),
    );
    this.body = element("tbody");
    this.table.append(this.body);
    this.none = element("p", { class: "muted" });
    this.element = element(
      "div",
      {},
      element(
        "div",
        { class: "bar" },
        element("p", { class: "grow muted" }, "What the node reads at its pins (IS, %V)."),
        this.sample,
      ),
      this.result,
      this.questions,
      this.table,
      this.none,
    );
    subject.addEventListener("change", () => this.update());
    this.update();
  }

  takeSample() {
    work(this.sample, this.result, "Asking it to read its lines…", async () => {
      const pins = await this.subject.call("sample");
      this.lay(pins);
      this.subject.refresh();
      return pins.length ? "" : "None of its lines is an input or an output.";
    });
  }

  update() {
    const { details, isOff } = this.subject;
    this.sample.disabled = isOff;
    if (details) this.lay(details.pins);
    else this.table.hidden = true;
  }

  /** Show what is known of the lines. */
  lay(pins) {
    this.table.hidden = pins.length === 0;
    this.none.hidden = pins.length > 0;
    setText(this.none, "Nothing is known of its lines yet. Sample asks the node to read them.");
    const gone = new Set(this.rows.keys());
    for (const pin of pins) {
      gone.delete(pin.name);
      let row = this.rows.get(pin.name);
      if (!row) {
        row = this.makeRow();
        this.rows.set(pin.name, row);
      }
      // In their order; who stands where it belongs is not touched.
      const at = pins.indexOf(pin);
      if (this.body.children[at] !== row.line) {
        this.body.insertBefore(row.line, this.body.children[at] ?? null);
      }
      this.showPin(row, pin);
    }
    for (const name of gone) {
      this.rows.get(name).line.remove();
      this.rows.delete(name);
    }
  }

  makeRow() {
    const cells = Array.from({ length: 4 }, () => element("td"));
    const dot = element("span", { class: "dot", "aria-hidden": "true" });
    const text = element("span");
    cells[1].append(dot, text);
    const row = { dot, text, cells, pin: null };
    row.high = element("button", { type: "button", class: "small" }, "High");
    row.low = element("button", { type: "button", class: "small" }, "Low");
    row.make = element("button", { type: "button", class: "small" }, "Make it an output…");
    row.high.addEventListener("click", () => this.set(row, row.high, "high"));
    row.low.addEventListener("click", () => this.set(row, row.low, "low"));
    row.make.addEventListener("click", () => this.makeOutput(row));
    const doing = element("td", { class: "setting" }, row.high, row.low, row.make);
    row.line = element("tr", {}, ...cells, doing);
    return row;
  }

  showPin(row, pin) {
    row.pin = pin;
    const [name, , mode, read] = row.cells;
    const isDigital = pin.kind === "digital";
    setText(name, pin.pin && pin.name !== pin.pin ? `${pin.name} (${pin.pin})` : pin.name);
    setText(row.text, pin.text || "not read");
    const isHigh = isDigital && pin.text === "high";
    setAttribute(row.dot, "class", isDigital && pin.text ? `dot ${isHigh ? "high" : "low"}` : "dot");
    setText(mode, pin.mode);
    setText(read, pin.at ? format.ago(pin.at) : "");
    setAttribute(read, "title", pin.at ? format.moment(pin.at) : null);
    const maySet = !this.subject.isOff;
    row.high.hidden = row.low.hidden = !(pin.output && maySet);
    row.make.hidden = !(isDigital && !pin.output && pin.pin && maySet);
    setAttribute(row.high, "aria-label", `Set ${pin.name} high`);
    setAttribute(row.low, "aria-label", `Set ${pin.name} low`);
    setAttribute(row.make, "aria-label", `Make it an output…: ${pin.name}`);
    setAttribute(row.high, "aria-pressed", String(isHigh));
    setAttribute(row.low, "aria-pressed", String(isDigital && pin.text === "low"));
  }

  async set(row, button, value, makeOutput = false) {
    const { subject } = this;
    const { pin } = row.pin;
    await work(button, this.result, `Setting ${row.pin.name} ${value}…`, async () => {
      const set = await subject.call("set_pin", pin, value, makeOutput);
      this.showPin(row, set);
      subject.refresh();
      return `${set.name} is ${set.text} now, until the node restarts.`;
    });
  }

  /** An input that something drives is a short circuit as an output: the gateway says so, too. */
  async makeOutput(row) {
    const text =
      `${row.pin.name} is ${row.pin.mode}. If something drives it, an output is a short ` +
      `circuit, which may destroy the module. Make it an output, low?`;
    if (!(await ask(this.questions, text, "Make it an output", { id: "make-output" }))) return;
    await this.set(row, row.make, "low", true);
  }
}
