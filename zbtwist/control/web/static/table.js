// The table of nodes: one row for each node, kept from one update to the next, so that an update
// takes away no focus, no selection and no place. Only cells whose text changed are written.
//
// Rows change their order only while nobody is busy with them: values that change every second
// would otherwise move a row away from under the pointer.

import { byId, element, setAttribute, setText } from "./dom.js";
import * as format from "./format.js";
import { signalBars } from "./signal.js";

/** How many rows are shown at most; the filter finds the others. */
const MAXIMUM_ROWS = 1000;

/** Milliseconds for which rows stay after the pointer moved over them. */
const POINTER_REST = 3000;

const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

/** key: what is sorted by; text: what the cell says. Numbers are aligned at the right. */
const COLUMNS = [
  { id: "name", title: "Name", key: format.nodeName },
  { id: "address", title: "Address", key: (node) => node.address },
  { id: "type", title: "Type", key: format.typeText },
  { id: "device", title: "Device", key: (node) => node.device || "" },
  { id: "port", title: "Port", number: true, key: portKey, text: format.portText },
  number("clients", "Clients", "clients", format.count),
  number("received", "Received", "bytes_received", format.bytes),
  number("sent", "Sent", "bytes_sent", format.bytes),
  number("seen", "Last seen", "last_seen", format.ago),
  { id: "signal", title: "Signal", number: true, key: signalKey, text: signalText },
  { id: "temperature", title: "Temp.", number: true, key: temperatureKey, text: temperatureText },
  { id: "state", title: "State", key: format.nodeState },
];

function number(id, title, field, text) {
  return {
    id,
    title,
    number: true,
    key: (node) => node[field] || 0,
    text: (node) => text(node[field] || 0),
  };
}

function portKey(node) {
  return typeof node.port === "number" ? node.port || Infinity : Infinity;
}

/** The strongest is the largest; a node without a signal is below all. */
function signalKey(node) {
  return node.signal === null || node.signal === undefined ? -Infinity : -node.signal;
}

function signalText(node) {
  return format.signal(node.signal);
}

function temperatureKey(node) {
  return node.temperature ?? -Infinity;
}

function temperatureText(node) {
  return format.temperature(node.temperature);
}

function compareKeys(one, other) {
  if (typeof one === "number" && typeof other === "number") {
    return one === other ? 0 : one - other;
  }
  return collator.compare(one, other);
}

/** What a filter is looked for in. */
function haystack(node) {
  const parts = [node.label, node.name, node.address, node.address.replaceAll(":", "")];
  parts.push(format.typeText(node), node.device, String(node.port || ""), node.short);
  parts.push(format.nodeState(node));
  return parts.join("\n").toLowerCase();
}

class Row {
  constructor(node, { onOpen, onTerminal }) {
    this.node = node;
    this.cells = new Map();
    this.line = element("tr", { role: "row" });
    for (const column of COLUMNS) {
      const cell = element("td", {
        role: "cell",
        class: column.number ? `${column.id} number` : column.id,
        "data-title": column.title,
      });
      this.cells.set(column.id, cell);
      this.line.append(cell);
    }
    this.open = element("button", { type: "button", class: "link" });
    this.open.addEventListener("click", () => onOpen(this.node.address));
    this.alias = element("span", { class: "alias muted" });
    this.cells.get("name").append(this.open, this.alias);
    this.bars = signalBars();
    this.signal = element("span");
    this.cells.get("signal").append(this.bars.image, this.signal);
    this.age = element("time");
    this.cells.get("seen").append(this.age);
    this.terminal = element(
      "button",
      { type: "button", class: "small", title: "Terminal" },
      element("span", { class: "sign" }, ">_"),
      element("span", { class: "phone-only" }, "Terminal"),
    );
    this.terminal.addEventListener("click", () => onTerminal(this.node.address));
    this.line.append(element("td", { role: "cell", class: "do" }, this.terminal));
  }

  update(node) {
    this.node = node;
    this.haystack = haystack(node);
    const name = format.nodeName(node);
    const isNamed = Boolean(node.label || node.name);
    setText(this.open, isNamed ? name : "no name");
    setAttribute(this.open, "aria-label", isNamed ? null : `no name, ${node.address}`);
    setText(this.alias, node.label && node.name && node.name !== node.label ? node.label : "");
    setAttribute(this.terminal, "aria-label", `Terminal of ${name}`);
    for (const column of COLUMNS) {
      if (["name", "signal", "seen"].includes(column.id)) continue;
      const cell = this.cells.get(column.id);
      const text = (column.text || column.key)(node);
      setText(cell, text);
      cell.classList.toggle("nothing", !text);
    }
    this.bars.show(node.signal);
    setText(this.signal, format.signal(node.signal));
    this.cells.get("signal").classList.toggle("nothing", !this.signal.textContent);
    setAttribute(this.age, "title", format.moment(node.last_seen) || null);
    this.updateAge();
    const state = this.cells.get("state");
    state.classList.toggle("bad", Boolean(node.problem));
    state.classList.toggle("idle", !node.problem && !node.port);
  }

  updateAge() {
    setText(this.age, format.ago(this.node.last_seen));
  }
}

export class NodeTable {
  /** @param handlers: onOpen and onTerminal, called with a node's address. */
  constructor(state, handlers) {
    this.state = state;
    this.handlers = handlers;
    this.rows = new Map();
    this.sortBy = COLUMNS.find((column) => column.id === "port");
    this.ascending = true;
    this.pointerMoved = -Infinity;
    this.body = byId("table").tBodies[0];
    this.filter = byId("filter");
    this.filter.addEventListener("input", () => this.arrange(true));
    this.body.addEventListener("pointermove", () => {
      this.pointerMoved = performance.now();
    });
    this.makeHead();
    state.addEventListener("change", (event) => this.update(event.detail));
    setInterval(() => {
      for (const row of this.rows.values()) row.updateAge();
    }, 5000);
  }

  makeHead() {
    const line = element("tr", { role: "row" });
    const choice = byId("sort-key");
    for (const column of COLUMNS) {
      const button = element("button", { type: "button" }, column.title);
      button.addEventListener("click", () => {
        this.sort(column, this.sortBy === column ? !this.ascending : true);
      });
      column.head = element(
        "th",
        { role: "columnheader", scope: "col", class: column.number ? "number" : null },
        button,
      );
      line.append(column.head);
      choice.append(element("option", { value: column.id }, column.title));
    }
    const unseen = element("span", { class: "unseen" }, "Terminal");
    line.append(element("th", { role: "columnheader", scope: "col" }, unseen));
    byId("table").tHead.append(line);
    choice.addEventListener("change", () => {
      this.sort(COLUMNS.find((column) => column.id === choice.value), this.ascending);
    });
    byId("sort-direction").addEventListener("click", () => {
      this.sort(this.sortBy, !this.ascending);
    });
    this.showOrder();
  }

  sort(column, ascending) {
    this.sortBy = column;
    this.ascending = ascending;
    this.showOrder();
    this.arrange(true);
  }

  showOrder() {
    const order = this.ascending ? "ascending" : "descending";
    for (const column of COLUMNS) {
      setAttribute(column.head, "aria-sort", column === this.sortBy ? order : null);
    }
    byId("sort-key").value = this.sortBy.id;
    setText(byId("sort-direction"), this.ascending ? "Ascending" : "Descending");
  }

  update({ changed, gone }) {
    for (const address of gone) {
      const row = this.rows.get(address);
      if (!row) continue;
      if (row.line.contains(document.activeElement)) this.filter.focus({ preventScroll: true });
      row.line.remove();
      this.rows.delete(address);
    }
    for (const address of changed) {
      let row = this.rows.get(address);
      if (!row) {
        row = new Row(this.state.nodes.get(address), this.handlers);
        this.rows.set(address, row);
      }
      row.update(this.state.nodes.get(address));
    }
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

  compare(one, other) {
    const { key } = this.sortBy;
    const order = compareKeys(key(one.node), key(other.node));
    if (order) return this.ascending ? order : -order;
    return one.node.address < other.node.address ? -1 : 1;
  }

  /** Put the rows that are to be seen in their order.
   *
   * @param asked: a person asked for it, so that it is done at once.
   */
  arrange(asked) {
    const words = this.filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    // The row in which somebody is stays, also if it does not match any more.
    const found = [...this.rows.values()].filter(
      (row) =>
        words.every((word) => row.haystack.includes(word)) ||
        row.line.contains(document.activeElement),
    );
    const matching = found.length;
    const compare = (one, other) => this.compare(one, other);
    const wanted =
      asked || !this.isBusy() ? found.sort(compare) : this.withNew(found.sort(compare));
    wanted.length = Math.min(wanted.length, MAXIMUM_ROWS);
    this.place(wanted.map((row) => row.line));
    this.showCounts(matching, wanted.length, words.length > 0);
  }

  /** The order that the rows have now, with those that are new where they belong. */
  withNew(sorted) {
    const place = new Map([...this.body.rows].map((line, index) => [line, index]));
    const old = sorted.filter((row) => place.has(row.line));
    old.sort((one, other) => place.get(one.line) - place.get(other.line));
    for (const row of sorted) {
      if (place.has(row.line)) continue;
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

  showCounts(matching, shown, filtered) {
    const all = this.rows.size;
    setText(byId("nodes-count"), all ? format.count(all) : "");
    let text = "";
    if (shown < matching) {
      const found = format.counted(matching, "node");
      text = `The first ${format.count(shown)} of ${found} are shown; filter to see others.`;
    } else if (filtered && all) {
      text = `${format.count(matching)} of ${format.counted(all, "node")}`;
    }
    setText(byId("shown"), text);
    const empty = byId("no-nodes");
    empty.hidden = matching > 0;
    setText(
      empty,
      all ? "No node matches the filter." : "No node is known yet. Discover searches the network.",
    );
    byId("table").hidden = matching === 0;
  }
}
