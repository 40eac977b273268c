// The table as a file to take away: what is shown, in its order, with values that programs read.

import { element } from "./dom.js";

/** The rows as a list of objects: what each column says, by name. */
function records(nodes, columns, state) {
  return nodes.map((node) =>
    Object.assign({}, ...columns.map((column) => column.value(node, state)), {
      address: node.address,
    }),
  );
}

/** A cell as RFC 4180 has it. No spreadsheet takes it for a formula: names are chosen by whoever
 * has a radio. */
function cell(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return String(value);
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export function asCsv(nodes, columns, state) {
  const rows = records(nodes, columns, state);
  const titles = Object.keys(rows[0] || { address: "" });
  const lines = [titles, ...rows.map((row) => titles.map((title) => cell(row[title])))];
  return lines.map((line) => `${line.join(",")}\r\n`).join("");
}

export function asJson(nodes, columns, state) {
  return `${JSON.stringify(records(nodes, columns, state), null, 2)}\n`;
}

/** Have the browser save a text as a file. */
export function save(text, name, type) {
  // With a mark, by which spreadsheets know that it is UTF-8.
  const parts = type === "text/csv" ? ["\ufeff", text] : [text];
  const url = URL.createObjectURL(new Blob(parts, { type: `${type};charset=utf-8` }));
  const link = element("a", { href: url, download: name });
  link.click();
  // The browser has begun to read it by then.
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

/** A name with the time, so that files of one day stay apart. */
export function fileName(ending) {
  const now = new Date();
  const two = (number) => String(number).padStart(2, "0");
  const day = `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`;
  return `nodes-${day}-${two(now.getHours())}${two(now.getMinutes())}.${ending}`;
}
