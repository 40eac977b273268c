// The settings of a node: its table of AT commands, to be changed in place. What is set is not in
// the node's flash memory until that is asked for, in a step of its own.

import { resultLine, say, work } from "./asking.js";
import { element, setText } from "./dom.js";
import * as format from "./format.js";
import { SettingsFiles } from "./panel-files.js";
import { Replacement } from "./panel-replace.js";
import { SettingRow } from "./panel-setting.js";

export class SettingsTab {
  constructor(subject) {
    this.subject = subject;
    this.rows = new Map();
    this.groups = new Map();
    this.makeHead();
    this.table = element("table", { id: "settings", class: "plain settings" });
    this.table.append(element("caption", { class: "unseen" }, "Settings of the node"));
    this.none = element("p", { class: "muted" });
    this.files = new SettingsFiles(subject);
    this.replacement = new Replacement(subject);
    this.element = element(
      "div",
      {},
      this.head,
      this.progress,
      this.result,
      this.unwritten,
      this.filterLine,
      this.table,
      this.none,
      this.files.element,
      this.replacement.element,
    );
    subject.addEventListener("change", () => {
      this.follow();
      this.update();
    });
    subject.addEventListener("restart", () => this.restarted());
    subject.addEventListener("applied", () => this.look());
    subject.link.addEventListener("up", () => this.look(), { signal: subject.ended.signal });
    this.update();
    this.look();
  }

  makeHead() {
    this.age = element("p", { class: "grow muted", id: "settings-age" });
    this.read = element("button", { type: "button", class: "primary", id: "settings-read" });
    this.read.addEventListener("click", () => this.readAll());
    this.head = element("div", { class: "bar" }, this.age, this.read);
    this.progress = element("progress", { "aria-label": "Reading the settings" });
    this.progress.hidden = true;
    this.result = resultLine("settings-result");
    this.unwrittenText = element("p", { id: "unwritten" });
    this.write = element("button", { type: "button", id: "settings-write" }, "Write to flash");
    this.write.addEventListener("click", () => this.writeAll());
    this.unwritten = element("div", { class: "unwritten" }, this.unwrittenText, this.write);
    this.filter = element("input", {
      type: "search",
      id: "settings-filter",
      "aria-label": "Search the settings",
      placeholder: "command, name or value",
      autocomplete: "off",
      spellcheck: "false",
    });
    this.filter.addEventListener("input", () => this.showMatching());
    this.filterLine = element("div", { class: "filter" }, this.filter);
  }

  /** Show what is known of its settings, without asking it. */
  async look() {
    if (!this.subject.link.up) return;
    try {
      const rows = await this.subject.call("known_settings");
      for (const row of rows) this.lay(row);
      this.showMatching();
    } catch {
      // A node that nobody knows, or a lost connection: both are said elsewhere.
    }
    this.isLooked = true;
    this.update();
  }

  /** Somebody else has set or read some: those that are kept are not those that are shown. */
  follow() {
    const { details } = this.subject;
    if (!details || details.settings === this.kept) return;
    this.kept = details.settings;
    if (this.isLooked) this.look();
  }

  async readAll() {
    this.progress.hidden = false;
    await work(this.read, this.result, "Asking it for one after the other…", async () => {
      const rows = await this.subject.call("settings");
      this.take(rows);
      this.update();
      this.subject.refresh();
      return "";
    });
    this.progress.hidden = true;
  }

  writeAll() {
    work(this.write, this.result, "Having it write its settings to flash…", async () => {
      await this.subject.call("at", "WR");
      this.subject.refresh();
      return "All that is set is in its flash memory.";
    });
  }

  restarted() {
    if (!this.rows.size) return;
    say(this.result, "It was told to restart: what was not in flash is as it was. Read them again.");
  }

  update() {
    const { details, isOff } = this.subject;
    const read = details?.settings_read;
    const age = read ? `Read ${format.ago(read)}.` : "Never read.";
    setText(this.age, details ? age : "");
    this.age.title = read ? format.moment(read) : "";
    setText(this.read, this.rows.size ? "Read again" : "Read the settings");
    this.read.disabled = isOff;
    const unwritten = details?.unwritten || [];
    this.unwritten.hidden = unwritten.length === 0;
    const what = unwritten.length === 1 ? "is" : "are";
    setText(
      this.unwrittenText,
      `${unwritten.join(", ")} ${what} set and not in flash: lost when the node restarts.`,
    );
    this.write.hidden = isOff;
    for (const [command, row] of this.rows) row.mark(unwritten.includes(command), isOff);
    const nothing = this.rows.size === 0;
    this.table.hidden = nothing;
    this.filterLine.hidden = nothing;
    this.none.hidden = !nothing || !this.isLooked;
    setText(
      this.none,
      "Reading them is 40 to 80 questions over the air, one after the other. It takes some " +
        "seconds, more over several hops, and minutes if the node sleeps.",
    );
    this.files.update();
    this.replacement.update();
  }

  /** Show these rows, in their order. One that is being changed stays so. */
  take(rows) {
    const gone = new Set(this.rows.keys());
    for (const values of rows) {
      gone.delete(values.command);
      const row = this.lay(values);
      row.line.parentNode.append(row.line);
      this.table.append(row.line.parentNode);
    }
    for (const command of gone) {
      this.rows.get(command).line.remove();
      this.rows.delete(command);
    }
    this.showMatching();
  }

  /** Show one row, in place of what was known of it. */
  lay(values) {
    let row = this.rows.get(values.command);
    if (!row) {
      row = new SettingRow(this.subject);
      this.rows.set(values.command, row);
      this.group(values.group).append(row.line);
    }
    row.show(values);
    return row;
  }

  group(name) {
    let body = this.groups.get(name);
    if (!body) {
      const title = element("th", { colspan: "3", scope: "rowgroup", class: "group" }, name);
      body = element("tbody", {}, element("tr", {}, title));
      this.groups.set(name, body);
      this.table.append(body);
    }
    return body;
  }

  showMatching() {
    const words = this.filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of this.rows.values()) {
      const text = row.haystack;
      row.line.hidden = !words.every((word) => text.includes(word));
    }
    for (const body of this.groups.values()) {
      body.hidden = ![...body.rows].slice(1).some((line) => !line.hidden);
    }
  }
}
