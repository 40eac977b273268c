// The page as a whole: its parts, its views, and the connection to the gateway.

import { byId, setAttribute, setText } from "./dom.js";
import { Head } from "./head.js";
import { Link } from "./link.js";
import { LogView } from "./log.js";
import { Panel } from "./panel.js";
import { Picture } from "./picture.js";
import { place } from "./place.js";
import { Searches } from "./search.js";
import { Session } from "./session.js";
import { State } from "./state.js";
import { Strip } from "./strip.js";
import { NodeTable } from "./table.js";
import { TerminalView } from "./terminal.js";
import { makeToolbar } from "./toolbar.js";
import { Tracing } from "./tracing.js";

const session = new Session();
const link = new Link("live", session);
const state = new State();
const terminal = new TerminalView({ state, session, link });
const openTerminal = (address) => place.set({ node: address, tab: "terminal" }, { push: true });
const tracing = new Tracing(link);
const openNode = (address) => place.set({ node: address }, { push: true });
new Head(state, link);
new Strip(state);
new Panel({ link, state, session, tracing, terminal });
const table = new NodeTable(state, { onOpen: openNode, onTerminal: openTerminal });
makeToolbar(table, state);
new Searches(state, link);
const picture = new Picture(state, openNode, link);
const log = new LogView(link, tracing, session);

// --- The connection ----------------------------------------------------------------------------

let version = "";

function showBanner(text) {
  setText(byId("banner-text"), text);
  byId("banner").hidden = !text;
}

link.addEventListener("news", (event) => state.take(event.detail));

link.addEventListener("up", () => {
  document.body.classList.remove("stale");
  version ||= state.gateway.version;
  const isNew = state.gateway.version !== version;
  byId("reload").hidden = !isNew;
  showBanner(isNew ? "The gateway runs another version now; this page is of the old one." : "");
});

link.addEventListener("down", ({ detail: { why, isAsked } }) => {
  document.body.classList.add("stale");
  byId("reload").hidden = !isAsked;
  const lost = "The connection to the gateway is lost; trying again.";
  const words = why ? `${why} Trying again.` : lost;
  showBanner(isAsked ? why : words);
});

byId("reload").addEventListener("click", () => location.reload());

// --- The views ---------------------------------------------------------------------------------

const VIEWS = ["nodes", "network", "log"];
const entries = new Map(
  VIEWS.map((name) => [name, document.querySelector(`.views a[href="?view=${name}"]`)]),
);

function showView() {
  const wanted = place.get("view");
  const view = VIEWS.includes(wanted) ? wanted : VIEWS[0];
  for (const name of VIEWS) {
    byId(`view-${name}`).hidden = name !== view;
    setAttribute(entries.get(name), "aria-current", name === view ? "page" : null);
  }
  picture.show(view === "network");
  log.show(view === "log");
}

for (const [name, entry] of entries) {
  // A password that stands in the page's address is not for whoever is sent a copy of the link.
  if (entry.username || entry.password) entry.username = entry.password = "";
  entry.addEventListener("click", (event) => {
    // The browser's own ways to open it elsewhere stay.
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    place.set({ view: name === VIEWS[0] ? null : name }, { push: true });
  });
}

place.addEventListener("change", (event) => {
  if (event.detail.has("view")) showView();
});
addEventListener("resize", () => picture.update());
showView();
table.arrange(true);
link.open();
