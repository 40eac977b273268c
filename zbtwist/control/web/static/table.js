// The table of nodes: who is shown, and in which order. Only cells whose text changed are written.
//
// Rows change their order only while nobody is busy with them: values that change every second
// would otherwise move a row away from under the pointer. What is searched for, the order and the
// columns stand in the page's address.

import { COLUMNS, compareKeys } from "./columns.js";
import { byId, element, setAttribute, setText } from "./dom.js";
import * as format from "./format.js";
import { boxOf } from "./health.js";
import { place } from "./place.js";
import { Row } from "./row.js";
import { choiceWords, chosenBox } from "./strip.js";

/** How many rows are shown at most; the search finds the others. */
const MAXIMUM_ROWS = 1000;

/** How many rows are drawn first of a page that is loaded: more than a screen has. Hundreds take longer
 * than all else that is done until then. */
const FIRST_ROWS = 64;

/** Milliseconds for which rows stay after the pointer moved over them. */
const POINTER_REST = 3000;

/** Milliseconds after the last letter until a search stands in the page's address. */
const TYPING_REST = 400;

/** Milliseconds between two looks at what only time changes. */
const AGES = 5000;

/** What is sorted by unless the reader says otherwise: the state, the worst first. */
const DEFAULT = COLUMNS[0];

function columnOf(id) {
  return COLUMNS.find((column) => column.id === id);
}

/** Columns that are shown if there is anything in them, unless the reader chose others: the values
 * that nodes have told, and the sites at which they are heard. */
const WHERE_SAID = new Map([
  [columnOf("value"), (node) => node.told],
  [columnOf("site"), (node) => node.site],
]);

/** The columns that the page's address asks for, in their order. */
export function chosenColumns() {
  const wanted = place.get("columns")?.split(",") || [];
  const found = COLUMNS.filter((column) => wanted.includes(column.id));
  return found.length ? found : COLUMNS.filter((column) => column.shown);
}

export class NodeTable {
  /** @param handlers: onOpen and onTerminal, called with a node's address. */
  constructor(state, handlers) {
    this.state = state;
    this.handlers = { state, ...handlers };
    this.rows = new Map();
    this.matching = [];
    this.pointerMoved = -Infinity;
    this.body = byId("table").tBodies[0];
    this.filter = byId("filter");
    this.filter.addEventListener("input", () => this.typed());
    this.body.addEventListener("pointermove", () => {
      this.pointerMoved = performance.now();
    });
    byId("show-all").addEventListener("click", () => {
      this.filter.value = "";
      place.set({ q: null, health: null }, { push: true });
      this.filter.focus();
    });
    this.makeSorting();
    place.addEventListener("change", (event) => this.moved(event.detail));
    state.addEventListener("change", (event) => this.update(event.detail));
    setInterval(() => {
      for (const row of this.rows.values()) {
        for (const id of ["state", "heard", "hops", "value"]) row.showColumn(id);
      }
    }, AGES);
    this.filter.value = place.get("q") || "";
    this.readOrder();
    this.makeHead();
  }

  // --- what the reader asks for ------------------------------------------------------------------

  typed() {
    this.arrange(true);
    clearTimeout(this.typing);
    this.typing = setTimeout(() => place.set({ q: this.filter.value.trim() }), TYPING_REST);
  }

  /** The page's address has changed. */
  moved(names) {
    if (names.has("q") && this.filter.value.trim() !== (place.get("q") || "")) {
      this.filter.value = place.get("q") || "";
    }
    if (names.has("sort")) this.readOrder();
    if (names.has("columns")) this.makeHead();
    if (names.has("sort")) this.showOrder();
    if (names.has("node")) this.showOpen();
    if (["q", "health", "sort", "columns"].some((name) => names.has(name))) this.arrange(true);
  }

  makeSorting() {
    const choice = byId("sort-key");
    for (const column of COLUMNS) {
      choice.append(element("option", { value: column.id }, column.title));
    }
    choice.addEventListener("change", () => this.sort(columnOf(choice.value), true));
    byId("sort-direction").addEventListener("click", () => {
      this.sort(this.sortBy, !this.ascending);
    });
  }

  sort(column, ascending) {
    const isDefault = column === DEFAULT && ascending;
    place.set({ sort: isDefault ? null : `${ascending ? "" : "-"}${column.id}` });
  }

  readOrder() {
    const wanted = place.get("sort") || "";
    const found = columnOf(wanted.replace(/^-/, ""));
    this.sortBy = found || DEFAULT;
    this.ascending = !found || !wanted.startsWith("-");
  }

  makeHead() {
    this.columns = chosenColumns();
    this.heads = new Map();
    const line = element("tr", { role: "row" });
    for (const column of this.columns) {
      const button = element("button", { type: "button" }, column.title);
      button.addEventListener("click", () => {
        this.sort(column, this.sortBy === column ? !this.ascending : true);
      });
      const head = element(
        "th",
        {
          role: "columnheader",
          scope: "col",
          class: column.number ? `${column.id} number` : column.id,
        },
        button,
      );
      this.heads.set(column, head);
      line.append(head);
    }
    const unseen = element("span", { class: "unseen" }, "Terminal");
    line.append(element("th", { role: "columnheader", scope: "col", class: "do" }, unseen));
    byId("table").tHead.replaceChildren(line);
    for (const row of this.rows.values()) row.unmake();
    this.showOrder();
  }

  showOrder() {
    const order = this.ascending ? "ascending" : "descending";
    for (const [column, head] of this.heads) {
      setAttribute(head, "aria-sort", column === this.sortBy ? order : null);
    }
    byId("sort-key").value = this.sortBy.id;
    setText(byId("sort-direction"), this.ascending ? "↑" : "↓");
    setAttribute(byId("sort-direction"), "aria-label", order);
  }

  /** Mark the row of the node whose panel is open. */
  showOpen() {
    const open = place.get("node");
    for (const row of this.rows.values()) {
      if (row.line) setAttribute(row.line, "aria-current", row.node.address === open ? "true" : null);
    }
  }

  // --- what the gateway says ---------------------------------------------------------------------

  update({ changed, gone, traffic }) {
    for (const address of gone) {
      const row = this.rows.get(address);
      if (!row) continue;
      if (row.hasFocus) this.filter.focus({ preventScroll: true });
      row.unmake();
      this.rows.delete(address);
    }
    for (const address of changed) {
      const node = this.state.nodes.get(address);
      const row = this.rows.get(address);
      if (row) row.update(node);
      else this.rows.set(address, new Row(node, this.handlers));
    }
    for (const [column, isSaid] of WHERE_SAID) {
      if (column.shown || ![...changed].some((at) => isSaid(this.state.nodes.get(at)))) continue;
      column.shown = true;
      // Whoever shows which columns there are looks again.
      place.dispatchEvent(new CustomEvent("change", { detail: new Set(["columns"]) }));
    }
    for (const address of traffic || []) this.rows.get(address)?.showColumn("lately");
    this.arrange(false);
  }

  /** Whether somebody points at the rows, is in one with the keyboard, or has marked text. */
  isBusy() {
    if (performance.now() - this.pointerMoved < POINTER_REST) return true;
    if (this.body.contains(document.activeElement)) return true;
    const selection = document.getSelection();
    return Boolean(
      selection && !selection.isCollapsed && this.body.contains(selection.anchorNode),
    );
  }

  // --- the order ---------------------------------------------------------------------------------

  compare(one, other) {
    const [first, second] = [one.node, other.node];
    const order = compareKeys(one.key, other.key, this.ascending ? 1 : -1);
    // Those that are alike are in the order of their ports.
    if (order) return order;
    const ports = compareKeys(first.port || null, second.port || null, 1);
    return ports || (first.address < second.address ? -1 : 1);
  }

  /** The rows that are searched for. */
  found() {
    const words = this.filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const box = chosenBox();
    // The row in which somebody is stays, also if it does not match any more.
    return [...this.rows.values()].filter(
      (row) => ((!box || boxOf(row.node) === box) && row.matches(words)) || row.hasFocus,
    );
  }

  /** Put the rows that are to be seen in their order.
   *
   * @param asked: a person asked for it, so that it is done at once.
   */
  arrange(asked) {
    const found = this.found();
    for (const row of found) row.key = this.sortBy.key(row.node, this.state);
    const sorted = found.sort((one, other) => this.compare(one, other));
    this.matching = asked || !this.isBusy() ? sorted : this.withNew(sorted);
    const wanted = this.matching.slice(0, MAXIMUM_ROWS);
    const first = this.isDrawn ? wanted : wanted.slice(0, FIRST_ROWS);
    this.place(first.map((row) => row.shownWith(this.columns)));
    if (first.length < wanted.length) this.drawOthers();
    this.showOpen();
    this.showCounts(this.matching.length, wanted.length);
  }

  /** Draw those that are below the first screen, when that is on the screen. */
  drawOthers() {
    this.isDrawn = true;
    const draw = () => setTimeout(() => this.arrange(false));
    // A page that is not seen has no screen to wait for.
    if (document.hidden) draw();
    else requestAnimationFrame(draw);
  }

  /** The order that the rows have now, with those that are new where they belong. */
  withNew(sorted) {
    const order = new Map([...this.body.rows].map((line, index) => [line, index]));
    const old = sorted.filter((row) => order.has(row.line));
    old.sort((one, other) => order.get(one.line) - order.get(other.line));
    for (const row of sorted) {
      if (order.has(row.line)) continue;
      const next = old.findIndex((other) => this.compare(row, other) < 0);
      old.splice(next < 0 ? old.length : next, 0, row);
    }
    return old;
  }

  /** A row that stands where it belongs is not touched: one that is put in again loses the focus
   * and the selection. */
  place(lines) {
    const wanted = new Set(lines);
    for (const line of [...this.body.rows]) {
      if (!wanted.has(line)) line.remove();
    }
    let next = this.body.firstChild;
    for (const line of lines) {
      if (line === next) next = next.nextSibling;
      else this.body.insertBefore(line, next);
    }
  }

  showCounts(matching, shown) {
    const all = this.rows.size;
    const isFiltered = Boolean(this.filter.value.trim() || chosenBox());
    setText(byId("nodes-count"), all ? format.count(all) : "");
    let text = "";
    if (shown < matching) {
      const found = format.counted(matching, "node");
      text = `The first ${format.count(shown)} of ${found} are shown; search to see others.`;
    } else if (isFiltered && all) {
      text = choiceWords(matching, all);
    }
    setText(byId("shown"), text);
    byId("show-all").hidden = !isFiltered || !all;
    byId("table-frame").hidden = matching === 0;
    byId("no-match").hidden = !all || matching > 0;
    byId("no-nodes").hidden = all > 0 || !this.state.isKnown;
  }
}
