// The page as a whole: the head, the views, the search for nodes, the connection to the gateway.

import { byId, Facts, setAttribute, setText } from "./dom.js";
import { counted, moment } from "./format.js";
import { Link } from "./link.js";
import { LogView } from "./log.js";
import { NodeDialog } from "./node.js";
import { Picture } from "./picture.js";
import { place } from "./place.js";
import { Session } from "./session.js";
import { State } from "./state.js";
import { NodeTable } from "./table.js";
import { TerminalDialog } from "./terminal-dialog.js";
import { Tracing } from "./tracing.js";
import { TrafficGraph, TrafficWatch } from "./traffic.js";

const session = new Session();
const link = new Link("live", session);
const state = new State();
const terminal = new TerminalDialog({ state, session, link });
const openTerminal = (address) => terminal.open(address);
const tracing = new Tracing(link);
const dialog = new NodeDialog(link, state, tracing, openTerminal);
const openNode = (address) => dialog.open(address);
const table = new NodeTable(state, { onOpen: openNode, onTerminal: openTerminal });
const picture = new Picture(state, openNode);
const log = new LogView(link, tracing, session);

// --- The head ----------------------------------------------------------------------------------

const facts = new Facts(byId("radio-facts"));

function showPill(kind, text) {
  const pill = byId("radio-pill");
  setAttribute(pill, "class", `pill ${kind}`);
  setText(pill, text);
}

function showProblem(id, text) {
  const problem = byId(id);
  setText(problem, text || "");
  problem.hidden = !text;
}

function showHead() {
  const { gateway, radio } = state;
  setText(byId("version"), gateway.version ? `version ${gateway.version}` : "");
  const reaches = radio.up && radio.joined;
  const how = reaches ? "radio up" : radio.up ? "radio joining" : "radio down";
  if (link.up) showPill(reaches ? "good" : "bad", how);
  document.title = `${reaches ? "" : `${how} · `}${location.host} · zbtwist`;
  showProblem("radio-problem", reaches ? "" : radio.problem);
  showProblem("gateway-problem", gateway.problem);
  facts.show([
    ["Link", radio.name, "widest"],
    ["Address", radio.address, "wide"],
    ["Firmware", radio.firmware],
    ["Hardware", radio.hardware, "minor"],
    ["PAN", (radio.pan || "").replace(/^0+(?=.)/, ""), "wide"],
    ["Channel", radio.channel ? String(radio.channel) : ""],
    ["API mode", radio.api_mode ? String(radio.api_mode) : "", "minor"],
    ["Clients", gateway.clients === undefined ? "" : String(gateway.clients), "minor"],
    ["Running since", moment(gateway.started), "wide minor"],
    ["Mappings are kept in", gateway.state, "widest minor"],
    [
      "Open to",
      gateway.interface_local === false ? "other computers" : "this computer only",
      "wide minor",
    ],
  ]);
}

state.addEventListener("change", showHead);
setText(byId("host"), location.host);

// --- The connection ----------------------------------------------------------------------------

let version = "";

function showBanner(text) {
  setText(byId("banner-text"), text);
  byId("banner").hidden = !text;
}

link.addEventListener("news", (event) => state.take(event.detail));

link.addEventListener("up", () => {
  document.body.classList.remove("stale");
  showHead();
  version ||= state.gateway.version;
  const isNew = state.gateway.version !== version;
  byId("reload").hidden = !isNew;
  showBanner(isNew ? "The gateway runs another version now; this page is of the old one." : "");
});

link.addEventListener("down", () => {
  document.body.classList.add("stale");
  showPill("waiting", "no connection");
  byId("reload").hidden = true;
  showBanner("The connection to the gateway is lost; trying again.");
});

byId("reload").addEventListener("click", () => location.reload());

// --- The search --------------------------------------------------------------------------------

byId("discover").addEventListener("click", async () => {
  const button = byId("discover");
  const progress = byId("discover-progress");
  const text = byId("discover-text");
  const before = state.nodes.size;
  // Not `disabled`, which would take the focus away.
  if (button.getAttribute("aria-disabled") === "true") return;
  button.setAttribute("aria-disabled", "true");
  text.classList.remove("error");
  progress.removeAttribute("value");
  progress.hidden = false;
  setText(text, "Searching the network…");
  try {
    await link.call("discover", [], ({ elapsed, total, found }) => {
      progress.max = total;
      progress.value = Math.min(elapsed, total);
      setText(text, `Searching the network… ${counted(found, "node")} answered.`);
    });
    const added = state.nodes.size - before;
    const all = counted(state.nodes.size, "node");
    const news = added > 0 ? `, ${counted(added, "new one")}` : "";
    setText(text, `The search has ended; ${all} known${news}.`);
  } catch (fault) {
    setText(text, fault.message);
    text.classList.add("error");
  }
  progress.hidden = true;
  button.removeAttribute("aria-disabled");
});

byId("measure").addEventListener("click", async () => {
  const button = byId("measure");
  const text = byId("discover-text");
  if (button.getAttribute("aria-disabled") === "true") return;
  button.setAttribute("aria-disabled", "true");
  text.classList.remove("error");
  setText(text, "Asking the nodes for their temperatures…");
  try {
    const answered = await link.call("temperatures", []);
    setText(text, `${counted(answered, "node")} told the temperature.`);
  } catch (fault) {
    setText(text, fault.message);
    text.classList.add("error");
  }
  button.removeAttribute("aria-disabled");
});

// --- The views ---------------------------------------------------------------------------------

const VIEWS = ["nodes", "network", "log"];

function showView() {
  const wanted = place.get("view");
  const view = VIEWS.includes(wanted) ? wanted : VIEWS[0];
  for (const name of VIEWS) {
    byId(`view-${name}`).hidden = name !== view;
    const entry = document.querySelector(`.views a[href="?view=${name}"]`);
    setAttribute(entry, "aria-current", name === view ? "page" : null);
  }
  picture.show(view === "network");
  log.show(view === "log");
}

for (const name of VIEWS) {
  document.querySelector(`.views a[href="?view=${name}"]`).addEventListener("click", (event) => {
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
for (const button of document.querySelectorAll("dialog .close")) {
  button.addEventListener("click", () => button.closest("dialog").close());
}

showView();
table.arrange(true);
link.open();
new TrafficWatch(link, new TrafficGraph(byId("traffic-all"), "Traffic of all nodes"), "");
