// What stands beside the search: which columns there are, and the table as a file.

import { COLUMNS } from "./columns.js";
import { byId, element } from "./dom.js";
import { asCsv, asJson, fileName, save } from "./export.js";
import { fold } from "./menus.js";
import { place } from "./place.js";
import { chosenColumns } from "./table.js";

function makeColumns() {
  const boxes = COLUMNS.map((column) => {
    const box = element("input", { type: "checkbox", value: column.id });
    byId("columns-list").append(element("label", {}, box, column.title));
    return box;
  });

  function show() {
    const chosen = new Set(chosenColumns().map((column) => column.id));
    for (const box of boxes) box.checked = chosen.has(box.value);
  }

  byId("columns-list").addEventListener("change", () => {
    const chosen = boxes.filter((box) => box.checked).map((box) => box.value);
    const usual = COLUMNS.filter((column) => column.shown).map((column) => column.id);
    place.set({ columns: `${chosen}` === `${usual}` ? null : chosen.join(",") });
    // Without any there would be nothing to see: then it is the usual ones.
    show();
  });
  byId("columns-usual").addEventListener("click", () => place.set({ columns: null }));
  place.addEventListener("change", show);
  show();
}

function makeExports(table, state) {
  for (const [ending, type, write] of [
    ["csv", "text/csv", asCsv],
    ["json", "application/json", asJson],
  ]) {
    byId(`export-${ending}`).addEventListener("click", () => {
      const nodes = table.matching.map((row) => row.node);
      save(write(nodes, table.columns, state), fileName(ending), type);
      fold(byId("export-menu"));
    });
  }
}

/** A slash goes to the search, as long as nobody writes anywhere. */
function makeKey() {
  const field = byId("filter");
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, textarea, select, [contenteditable], dialog")) return;
    // It is of no use where the table is not shown.
    if (field.offsetParent === null) return;
    event.preventDefault();
    field.focus();
    field.select();
  });
}

export function makeToolbar(table, state) {
  makeColumns();
  makeExports(table, state);
  makeKey();
}
