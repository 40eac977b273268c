// One node's row in the table. It is made when it is shown first, and kept from one update to the
// next, so that an update takes away no focus, no selection and no place.

import { element, setAttribute, setText } from "./dom.js";
import * as format from "./format.js";
import { healthReason, healthWords } from "./health.js";

/** Parts of the page in which a click means something else than to open the node. */
const OWN_CLICK = "button, a, input";

/** What a search is looked for in. */
export function haystack(node) {
  const parts = [node.label, node.name, node.address, node.address.replaceAll(":", "")];
  parts.push(format.typeText(node), node.device, String(node.port || ""), node.short);
  parts.push(healthWords(node), healthReason(node), node.unbound ? "unbound" : "");
  if (node.told) parts.push(node.told[0], format.value(node.told[1], node.told[2]));
  return parts.join("\n").toLowerCase();
}

export class Row {
  /** @param handlers: onOpen and onTerminal, called with the node's address, and the `state`. */
  constructor(node, handlers) {
    this.node = node;
    this.handlers = handlers;
    this.line = null;
    this.hay = null;
    /** What it is sorted by. */
    this.key = null;
  }

  /** Whether all these words are in it. */
  matches(words) {
    if (!words.length) return true;
    this.hay ??= haystack(this.node);
    return words.every((word) => this.hay.includes(word));
  }

  /** Return its line in the table, with these columns. */
  shownWith(columns) {
    if (!this.line) this.make(columns);
    return this.line;
  }

  make(columns) {
    const { handlers } = this;
    this.shows = new Map();
    this.line = element("tr", { role: "row", "data-address": this.node.address });
    this.line.addEventListener("click", (event) => {
      const isMarking = !document.getSelection().isCollapsed;
      if (!isMarking && !event.target.closest(OWN_CLICK)) handlers.onOpen(this.node.address);
    });
    for (const column of columns) {
      const cell = element("td", {
        role: "cell",
        class: column.number ? `${column.id} number` : column.id,
      });
      const show =
        column.cell?.(cell, handlers) ||
        ((node) => {
          setText(cell, column.text(node));
          cell.classList.toggle("nothing", !cell.textContent);
        });
      this.shows.set(column.id, show);
      this.line.append(cell);
    }
    this.terminal = element(
      "button",
      { type: "button", class: "small sign doing", title: "Terminal" },
      ">_",
    );
    this.terminal.addEventListener("click", () => handlers.onTerminal(this.node.address));
    this.line.append(element("td", { role: "cell", class: "do" }, this.terminal));
    this.show();
  }

  /** Forget how it looks: the columns are others. */
  unmake() {
    this.line?.remove();
    this.line = null;
  }

  update(node) {
    this.node = node;
    this.hay = null;
    if (this.line) this.show();
  }

  show() {
    const { node } = this;
    for (const show of this.shows.values()) show(node);
    setAttribute(this.terminal, "aria-label", `Terminal of ${format.nodeName(node)}`);
  }

  /** Show anew what one column says, if it is there. */
  showColumn(id) {
    if (this.line) this.shows.get(id)?.(this.node);
  }

  /** Whether the keyboard is in it. */
  get hasFocus() {
    return Boolean(this.line?.contains(document.activeElement));
  }
}
