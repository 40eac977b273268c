// The settings of a node in a file, and those of a file for this node and others: first what would
// change, then the change.

import { ask, resultLine, say, work } from "./asking.js";
import { element, setText } from "./dom.js";
import * as format from "./format.js";

/** The longest file that the gateway takes, in bytes: a call of the page has 64 KiB. */
const MAXIMUM_FILE = 60000;

/** How many nodes are offered at once; the search finds the others. */
const MAXIMUM_OFFERED = 100;

/** Have the browser keep a text as a file. */
function download(name, text) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
  const link = element("a", { href: url, download: name });
  link.click();
  // It reads it a moment later.
  setTimeout(() => URL.revokeObjectURL(url), 60000);
}

/** A name that any file system takes. */
function fileName(name, ending) {
  return `${name.replace(/[^\p{L}\p{N}._-]+/gu, "-") || "node"}.${ending}`;
}

export class SettingsFiles {
  constructor(subject) {
    this.subject = subject;
    this.targets = new Set([subject.address]);
    this.text = "";
    this.makeSaving();
    this.makeApplying();
    this.element = element("div", {}, this.saving, this.applying);
  }

  update() {
    this.saving.hidden = this.subject.isOff;
    this.applying.hidden = this.subject.isOff;
  }

  // --- Saving ----------------------------------------------------------------------------------

  makeSaving() {
    this.saveResult = resultLine("save-result");
    const button = (id, form, ending, text) => {
      const made = element("button", { type: "button", id }, text);
      made.addEventListener("click", () => this.save(made, form, ending));
      return made;
    };
    this.saving = element(
      "section",
      { "aria-label": "Save" },
      element("h3", {}, "Save to a file"),
      element(
        "div",
        { class: "buttons" },
        button("save-toml", "toml", "toml", "Save (TOML)"),
        button("save-xctu", "xctu", "xml", "Save for XCTU"),
      ),
      this.saveResult,
    );
  }

  save(button, form, ending) {
    work(button, this.saveResult, "Reading its settings…", async () => {
      const text = await this.subject.call("save_settings", form);
      const name = fileName(this.subject.name, ending);
      download(name, text);
      this.subject.refresh();
      return `Its settings are in ${name}. Keys cannot be read, and are not in it.`;
    });
  }

  // --- Applying --------------------------------------------------------------------------------

  makeApplying() {
    this.file = element("input", {
      type: "file",
      id: "apply-file",
      accept: ".toml,.xml,text/plain,text/xml",
    });
    this.file.addEventListener("change", () => this.takeFile());
    // What was chosen before may be chosen again: it may have been changed since.
    this.file.addEventListener("click", () => {
      this.file.value = "";
    });
    this.own = element("button", { type: "button", id: "apply-own" }, "Take those of this node");
    this.own.addEventListener("click", () => this.takeOwn());
    this.source = resultLine("apply-source");
    this.search = element("input", {
      type: "search",
      id: "apply-search",
      "aria-label": "Search nodes",
      placeholder: "name, address or port",
      autocomplete: "off",
    });
    this.search.addEventListener("input", () => this.offer());
    this.offered = element("ul", { class: "targets", id: "apply-targets" });
    this.more = element("p", { class: "muted" });
    this.compareButton = element("button", { type: "button", id: "compare" }, "Show what differs");
    this.compareButton.addEventListener("click", () => this.compare());
    this.flash = element("input", { type: "checkbox", id: "apply-write" });
    this.applyButton = element("button", { type: "button", class: "primary", id: "apply" }, "Apply");
    this.applyButton.addEventListener("click", () => this.apply());
    this.result = resultLine("apply-result");
    this.questions = element("div");
    this.differences = element("div", { id: "differences" });
    this.second = element(
      "div",
      { class: "step" },
      element("p", { class: "muted" }, "Which nodes get them:"),
      this.search,
      this.offered,
      this.more,
      element("div", { class: "buttons" }, this.compareButton),
    );
    this.third = element(
      "div",
      { class: "step" },
      this.differences,
      element("label", { class: "check" }, this.flash, " Write them to flash memory as well"),
      element("div", { class: "buttons" }, this.applyButton),
      this.questions,
    );
    this.second.hidden = true;
    this.third.hidden = true;
    this.applying = element(
      "details",
      { id: "apply-part", class: "unfolding" },
      element("summary", {}, "Apply a file"),
      element("label", { for: "apply-file" }, "A file of settings: TOML, or a profile of XCTU"),
      element("div", { class: "field" }, this.file, this.own),
      this.source,
      this.second,
      this.third,
      this.result,
    );
  }

  async takeFile() {
    const [file] = this.file.files;
    if (!file) return;
    if (file.size > MAXIMUM_FILE) {
      const size = format.bytes(file.size);
      this.refuse(`${file.name} has ${size}: it is no file of settings.`);
      return;
    }
    let text;
    try {
      text = new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
    } catch (error) {
      const why = error instanceof TypeError ? "it is no text in UTF-8" : "choose it again";
      this.refuse(`${file.name} cannot be read: ${why}.`);
      return;
    }
    this.take(text, `The settings of ${file.name}.`);
  }

  /** A file is none: what was chosen before it is not meant any more. */
  refuse(sentence) {
    this.text = "";
    this.second.hidden = true;
    this.third.hidden = true;
    say(this.result, "");
    say(this.source, sentence, true);
  }

  takeOwn() {
    work(this.own, this.source, "Reading its settings…", async () => {
      const text = await this.subject.call("save_settings");
      const words = `The settings of ${this.subject.name}.`;
      this.targets.delete(this.subject.address);
      this.take(text, words);
      return words;
    });
  }

  take(text, words) {
    this.text = text;
    say(this.source, words);
    say(this.result, "");
    this.third.hidden = true;
    this.second.hidden = false;
    this.offer();
  }

  /** Offer the nodes that match, those first that are chosen. */
  offer() {
    const words = this.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const nodes = [...this.subject.state.nodes.values()].filter((node) => {
      const text = `${format.nodeName(node)}\n${node.label}\n${node.address}\n${node.port}`;
      return words.every((word) => text.toLowerCase().includes(word));
    });
    const chosen = (node) => this.targets.has(node.address);
    nodes.sort(
      (one, other) =>
        chosen(other) - chosen(one) || format.nodeName(one).localeCompare(format.nodeName(other)),
    );
    this.offered.replaceChildren(
      ...nodes.slice(0, MAXIMUM_OFFERED).map((node) => {
        const box = element("input", { type: "checkbox", checked: chosen(node) });
        box.addEventListener("change", () => {
          if (box.checked) this.targets.add(node.address);
          else this.targets.delete(node.address);
          this.third.hidden = true;
          this.count();
        });
        const address = element("span", { class: "address muted" }, node.address);
        return element(
          "li",
          {},
          element("label", { class: "check" }, box, ` ${format.nodeName(node)} `, address),
        );
      }),
    );
    const more = nodes.length - MAXIMUM_OFFERED;
    setText(this.more, more > 0 ? `${format.counted(more, "node")} more: search for them.` : "");
    this.count();
  }

  count() {
    const count = this.targets.size;
    setText(this.compareButton, count > 1 ? `Show what differs (${count})` : "Show what differs");
    this.compareButton.disabled = count === 0;
  }

  nameOf(address) {
    const node = this.subject.state.nodes.get(address);
    return node ? format.nodeName(node) : address;
  }

  async compare() {
    this.third.hidden = true;
    /** Addresses of the nodes that can be given them, and what may cut each off. */
    this.compared = new Map();
    this.differences.replaceChildren();
    const { link } = this.subject;
    await work(this.compareButton, this.result, "Reading what each has…", async () => {
      for (const address of this.targets) {
        const name = this.nameOf(address);
        say(this.result, `Reading what ${name} has…`);
        try {
          const rows = await link.call("compare_settings", [address, this.text]);
          this.compared.set(address, rows);
          this.differences.append(differencesOf(name, rows));
        } catch (fault) {
          this.differences.append(
            element("h4", {}, name),
            element("p", { class: "error" }, fault.message),
          );
        }
      }
      return "";
    });
    this.applyButton.disabled = this.compared.size === 0;
    setText(
      this.applyButton,
      this.compared.size > 1 ? `Apply to ${this.compared.size} nodes` : "Apply",
    );
    this.third.hidden = false;
  }

  async apply() {
    const whys = new Map();
    for (const row of [...this.compared.values()].flat()) {
      if (!row.known || !row.why) continue;
      whys.set(row.why, (whys.get(row.why) || new Set()).add(row.command));
    }
    if (whys.size) {
      const reasons = [...whys].map(([why, commands]) => `${[...commands].join(", ")}: ${why}`);
      const text = `This may cut nodes off. ${reasons.join(" ")}`;
      if (!(await ask(this.questions, text, "Apply it", { id: "apply-sure" }))) return;
    }
    const said = [];
    let failed = false;
    await work(this.applyButton, this.result, "Setting and reading back…", async () => {
      for (const address of this.compared.keys()) {
        const name = this.nameOf(address);
        say(this.result, [...said, `${name}: setting and reading back…`].join("\n"));
        try {
          const args = [address, this.text, whys.size > 0, this.flash.checked];
          said.push(`${name}: ${appliedText(await this.subject.link.call("apply_settings", args))}`);
        } catch (fault) {
          failed = true;
          said.push(`${name}: ${fault.message}`);
        }
      }
      return said.join("\n");
    });
    this.result.classList.toggle("error", failed);
    this.third.hidden = true;
    this.subject.applied();
  }
}

function appliedText({ changed, skipped, same, written }) {
  const flash = written ? "in its flash memory" : "not in flash yet";
  const set = changed.length ? `${changed.join(", ")} set, ${flash}.` : "it was so already.";
  const were = changed.length && same ? ` ${same} were so already.` : "";
  return set + were + (skipped.length ? ` Left out: ${skipped.join(", ")}.` : "");
}

/** What would change on a node, as a table. */
function differencesOf(name, rows) {
  const heading = element("h4", {}, name);
  if (!rows.length) return element("div", {}, heading, element("p", {}, "Nothing differs."));
  const titles = ["", "Setting", "It has", "It gets"];
  const head = titles.map((title) => element("th", { scope: "col" }, title || "AT"));
  const lines = rows.map((row) =>
    element(
      "tr",
      {},
      element("th", { scope: "row", class: "command" }, row.command),
      element("td", {}, row.name),
      element("td", {}, row.text || "—"),
      element("td", {}, row.known ? row.new_text || "(a key)" : `${row.new_text}: left out`),
    ),
  );
  return element(
    "div",
    {},
    heading,
    element(
      "table",
      { class: "plain" },
      element("thead", {}, element("tr", {}, ...head)),
      element("tbody", {}, ...lines),
    ),
  );
}
