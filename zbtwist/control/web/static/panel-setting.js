// One setting of a node: what it is, and another value for it, in place.

import { ask, resultLine, say, work } from "./asking.js";
import { element, setAttribute, setText } from "./dom.js";

/** What the choice of an enumerated value says for one that is not in it. */
const OTHER = "other";

/** Whether a setting is a number: others have a length in place of a range. */
function isNumber({ value, range }) {
  return typeof value === "number" || !range.startsWith("at most");
}

/** Read a value as people write it.
 *
 * @return the arguments of the call: the value, and whether it is hexadecimal digits, since a number
 *   with more than 53 bits is none in JavaScript.
 * @throws Error with a sentence, if it is no such value.
 */
export function parseValue(row, text) {
  if (!isNumber(row)) return [text];
  const written = text.trim().replaceAll("_", "");
  if (!/^(0x[0-9a-f]+|[0-9]+)$/i.test(written)) {
    throw new Error(
      `“${text}” is no number: ${row.command} takes ${row.range}, in decimal or as 0x1f.`,
    );
  }
  const number = BigInt(written);
  if (number <= BigInt(Number.MAX_SAFE_INTEGER)) return [Number(number)];
  const digits = number.toString(16);
  return [digits.padStart(Math.max(16, digits.length + (digits.length % 2)), "0"), true];
}

/** A value in words, with the number that stands for it where the words do not say it. */
function valueText({ value, text, words }) {
  const hasWord = words.some(([number]) => number === value);
  return hasWord ? `${value} · ${text}` : text || "—";
}

export class SettingRow {
  constructor(subject) {
    this.subject = subject;
    this.command = element("th", { scope: "row", class: "command" });
    this.name = element("td");
    this.open = element("button", { type: "button", class: "link" });
    this.open.addEventListener("click", () => this.edit());
    this.fixed = element("span");
    this.flag = element("span", { class: "flag" }, "not in flash");
    this.flag.hidden = true;
    this.value = element("td", { class: "value" }, this.open, this.fixed, " ", this.flag);
    this.line = element("tr", {}, this.command, this.name, this.value);
    this.isOff = true;
  }

  get haystack() {
    const { command, name, text, group } = this.values;
    return `${command}\n${name}\n${text}\n${group}`.toLowerCase();
  }

  /** @param values: as the gateway's settings() says them. */
  show(values) {
    this.values = values;
    setText(this.command, values.command);
    setText(this.name, values.name);
    setAttribute(this.line, "data-command", values.command);
    const text = valueText(values);
    setText(this.open, text);
    setText(this.fixed, text);
    setAttribute(this.open, "aria-label", `${text}: change ${values.command}`);
    this.showWhether();
  }

  /** @param isUnwritten: it was set, and is not in flash.
   *  @param isOff: nobody can change it now. */
  mark(isUnwritten, isOff) {
    this.flag.hidden = !isUnwritten;
    this.isOff = isOff;
    if (this.form) this.button.disabled = isOff;
    this.showWhether();
  }

  showWhether() {
    const mayChange = !this.values.read_only && !this.isOff;
    this.open.hidden = !mayChange || Boolean(this.form);
    this.fixed.hidden = mayChange || Boolean(this.form);
  }

  // --- Another value ---------------------------------------------------------------------------

  edit() {
    const { values } = this;
    const id = `set-${values.command}`;
    this.input = element("input", { id, spellcheck: "false", autocomplete: "off" });
    this.input.value = this.written();
    this.choice = element("select", { id: `${id}-choice`, "aria-label": `Value of ${values.command}` });
    for (const [number, text] of values.words) {
      this.choice.append(element("option", { value: number }, `${number} · ${text}`));
    }
    const isListed = values.words.some(([number]) => number === values.value);
    if (values.words.length) {
      this.choice.append(element("option", { value: OTHER }, "another value…"));
      this.choice.value = isListed ? values.value : OTHER;
      this.choice.addEventListener("change", () => this.showChoice());
    } else {
      this.choice.hidden = true;
    }
    setAttribute(this.input, "aria-label", `Value of ${values.command}`);
    const unit = values.unit ? ` × ${values.unit}` : "";
    const hint = element("p", { class: "muted hint", id: `${id}-hint` }, `${values.range}${unit}`);
    setAttribute(this.input, "aria-describedby", hint.id);
    this.button = element("button", { class: "primary" }, "Set");
    const cancel = element("button", { type: "button" }, "Cancel");
    cancel.addEventListener("click", () => this.leave());
    this.questions = element("div");
    this.result = resultLine(`${id}-result`);
    this.form = element(
      "form",
      { class: "setting-form", autocomplete: "off" },
      element("div", { class: "field" }, this.choice, this.input, this.button, cancel),
      hint,
      this.questions,
      this.result,
    );
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.set();
    });
    this.form.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || event.defaultPrevented) return;
      event.preventDefault();
      event.stopPropagation();
      this.leave();
    });
    this.value.append(this.form);
    this.showChoice();
    this.showWhether();
    (this.choice.hidden ? this.input : this.choice).focus();
    this.form.scrollIntoView({ block: "nearest" });
  }

  /** The value as it would be written. */
  written() {
    const { value, text } = this.values;
    if (isNumber(this.values)) return /^0x/.test(text) ? text : String(value);
    return String(value);
  }

  showChoice() {
    const isOther = this.choice.hidden || this.choice.value === OTHER;
    this.input.hidden = !isOther;
  }

  leave() {
    this.form?.remove();
    this.form = null;
    this.showWhether();
    this.open.focus({ preventScroll: true });
  }

  async set() {
    const { subject, values, form } = this;
    let given;
    try {
      given = this.input.hidden
        ? [Number(this.choice.value)]
        : parseValue(values, this.input.value);
    } catch (fault) {
      say(this.result, fault.message, true);
      return;
    }
    if (values.why) {
      const question = `${values.command} may cut ${subject.name} off. ${values.why}`;
      if (!(await ask(this.questions, question, "Set it", { id: "cut-off" }))) return;
    }
    let row = null;
    await work(this.button, this.result, "Setting it…", async () => {
      row = await subject.call("set_setting", values.command, ...given);
    });
    if (!row) return;
    this.show(row);
    this.mark(!row.stored, this.isOff);
    if (this.form === form) this.leave();
    subject.refresh();
  }
}
