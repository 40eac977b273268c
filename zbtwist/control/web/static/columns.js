// The columns of the table: what each shows of a node, by what it is sorted, and what of it is
// taken away in a file.
//
//   id, title  what the address of the page and the reader call it
//   shown      whether it is there unless the reader chose others
//   number     aligned at the right
//   key        by what is sorted, a number or a text; null for a blank, which comes last
//   text       what the cell says, of a node and of all that is known
//   value      what an export has, by name: numbers and texts, null for nothing
//   cell       for those that are more than a text: makes what is in the cell, and returns what
//              shows a node in it
//
// A new column stands here, and in the table below what it looks like in table.css.

import { element, setAttribute, setText } from "./dom.js";
import * as format from "./format.js";
import { boxOf, healthReason, healthText, healthWords, rank } from "./health.js";
import { signalBars } from "./signal.js";
import { inWords, Sparkline } from "./sparkline.js";
import { copyAndSay } from "./toast.js";

/** Of so many packets one that was sent again is worth a word. */
const FEW_RETRIES = 0.01;

function stateCell(cell) {
  const pill = element("span");
  const why = element("span", { class: "why" });
  cell.append(pill, why);
  return (node) => {
    setAttribute(pill, "class", `pill ${boxOf(node)}`);
    setText(pill, healthText(node));
    // Of its port it says at once what to do: no other place of the page has it.
    setText(why, node.problem || "");
    setAttribute(cell, "title", healthReason(node) || null);
  };
}

function nameCell(cell, { onOpen }) {
  const open = element("button", { type: "button", class: "link", dir: "auto" });
  const alias = element("bdi", { class: "alias muted" });
  const address = element("bdi", { dir: "ltr" });
  const below = element("span", { class: "address muted" }, address);
  let shown = null;
  open.addEventListener("click", () => onOpen(shown.address));
  cell.append(element("div", { class: "who" }, open, alias), below);
  return (node) => {
    shown = node;
    const isNamed = Boolean(node.label || node.name);
    setText(open, isNamed ? format.nodeName(node) : "no name");
    setAttribute(open, "title", isNamed ? format.nodeName(node) : null);
    setAttribute(open, "aria-label", isNamed ? null : `no name, ${node.address}`);
    setText(alias, node.label && node.name && node.name !== node.label ? node.label : "");
    setText(address, node.address);
  };
}

function portCell(cell, { state }) {
  const button = element("button", { type: "button", class: "port" });
  const below = element("span", { class: "host muted" });
  let shown = null;
  button.addEventListener("click", () => copyAndSay(format.portPlace(shown, state.gateway)));
  cell.append(button, below);
  return (node) => {
    shown = node;
    const text = format.portText(node);
    const isPath = typeof node.port === "string";
    const where = format.portPlace(node, state.gateway);
    button.hidden = !text;
    setText(button, text);
    button.classList.toggle("path", isPath);
    setAttribute(button, "title", text ? `Copy ${where}` : null);
    setAttribute(button, "aria-label", text ? `Copy ${where}` : null);
    const clients = node.clients ? format.counted(node.clients, "client") : "";
    const host = text && !isPath ? format.portHost(state.gateway) : "";
    const none = node.unbound ? "unbound" : "no port";
    setText(below, text ? [host, clients].filter(Boolean).join(" · ") : none);
  };
}

function trafficCell(cell, { state }) {
  const line = new Sparkline();
  cell.append(line.image);
  return (node) => {
    const series = state.traffic.of(node.address);
    line.show(series, state.traffic.number);
    setAttribute(cell, "title", inWords(series));
  };
}

function signalCell(cell) {
  const bars = signalBars();
  const text = element("span");
  cell.append(bars.image, text);
  return (node) => {
    bars.show(node.signal);
    setText(text, signalText(node));
    cell.classList.toggle("nothing", !text.textContent);
  };
}

function hopsCell(cell, { state }) {
  const number = element("span");
  const way = element("bdi", { class: "muted" });
  cell.append(number, way);
  return (node) => {
    const relay = node.route?.length ? state.byShort(node.route[0]) : null;
    const name = relay ? format.nodeName(relay) : node.route?.[0];
    const text = hops(node) === null ? "" : String(hops(node));
    setText(number, text);
    setText(way, text && `· ${node.route.length ? `via ${name}` : "direct"}`);
    setAttribute(cell, "title", node.route?.length ? `via ${name}` : null);
    cell.classList.toggle("nothing", !text);
  };
}

function lostCell(cell) {
  return (node) => {
    setText(cell, lostText(node));
    const isBad = node.failures && ["losing", "not-answering"].includes(node.health);
    cell.classList.toggle("bad", Boolean(isBad));
    cell.classList.toggle("nothing", !cell.textContent);
  };
}

function heardCell(cell) {
  const time = element("time");
  cell.append(time);
  return (node) => {
    setText(time, node.last_seen ? format.age(node.last_seen) : "never");
    setAttribute(time, "title", format.moment(node.last_seen) || null);
  };
}

function valueCell(cell) {
  const text = element("bdi");
  const name = element("span", { class: "muted" });
  cell.append(text, name);
  return (node) => {
    setText(text, valueText(node));
    setText(name, node.told ? node.told[0] : "");
    setAttribute(cell, "title", node.told ? `${node.told[0]}, ${format.ago(node.told[3])}` : null);
    cell.classList.toggle("nothing", !node.told);
  };
}

/** What matters most of what its decoder has made of what it said. */
function valueText(node) {
  return node.told ? format.value(node.told[1], node.told[2]) : "";
}

function signalText(node) {
  return isSaid(node.signal) ? `−${node.signal}` : "";
}

function isSaid(value) {
  return value !== null && value !== undefined;
}

function hops(node) {
  return node.route ? node.route.length + 1 : null;
}

function packets(node) {
  return (node.packets_sent || 0) + (node.failures || 0);
}

function lostText(node) {
  const all = packets(node);
  if (node.failures) return `${format.count(node.failures)} of ${format.count(all)}`;
  const again = all ? (node.retries || 0) / all : 0;
  if (again >= FEW_RETRIES) return `${format.count(Math.round(100 * again))} % again`;
  return all ? "0" : "";
}

/** A time as programs read it. */
function instant(seconds) {
  return seconds ? new Date(seconds * 1000).toISOString() : null;
}

/** A column of texts. */
function words(id, title, text) {
  const value = (node) => text(node) || null;
  return { id, title, key: value, text, value: (node) => ({ [id]: value(node) }) };
}

/** A column of numbers, of which 0 is one. */
function number(id, title, field, text) {
  const value = (node) => (isSaid(node[field]) ? node[field] : null);
  return {
    id,
    title,
    number: true,
    key: value,
    text: (node) => (value(node) === null ? "" : text(value(node))),
    value: (node) => ({ [field]: value(node) }),
  };
}

export const COLUMNS = [
  {
    id: "state",
    title: "State",
    shown: true,
    key: rank,
    cell: stateCell,
    value: (node) => ({
      state: healthWords(node).toLowerCase(),
      since: instant(node.health_since),
      why: healthReason(node),
    }),
  },
  {
    id: "name",
    title: "Name",
    shown: true,
    key: (node) => node.name || node.label || null,
    cell: nameCell,
    value: (node) => ({
      name: node.name || node.label || null,
      label: node.label || null,
      address: node.address,
    }),
  },
  {
    id: "port",
    title: "Port",
    shown: true,
    key: (node) => node.port || null,
    cell: portCell,
    value: (node, { gateway }) => ({
      port: node.port || null,
      connect: node.port ? format.portPlace(node, gateway) : null,
      clients: node.clients || 0,
    }),
  },
  {
    id: "lately",
    title: "Last 10 min",
    shown: true,
    // The busiest first.
    key: (node, { traffic }) => -total(traffic.of(node.address).slice(0, 2)) || null,
    cell: trafficCell,
    value: (node, { traffic }) => {
      const [received, sent, lost] = traffic.of(node.address).map((values) => total([values]));
      return { received_lately: received, sent_lately: sent, lost_lately: lost };
    },
  },
  {
    id: "signal",
    title: "Signal",
    shown: true,
    // The weakest first.
    key: (node) => (isSaid(node.signal) ? -node.signal : null),
    cell: signalCell,
    value: (node) => ({ signal: isSaid(node.signal) ? -node.signal : null }),
  },
  {
    id: "hops",
    title: "Hops",
    shown: true,
    key: hops,
    cell: hopsCell,
    value: (node) => ({ hops: hops(node), route: node.route?.join(" ") ?? null }),
  },
  {
    id: "lost",
    title: "Lost",
    shown: true,
    // Who has lost most is first.
    key: (node) => (packets(node) ? -(node.failures || 0) : null),
    cell: lostCell,
    value: (node) => ({ lost: node.failures || 0, packets: packets(node) }),
  },
  {
    id: "heard",
    title: "Heard",
    shown: true,
    // Who was heard last is first.
    key: (node) => -node.last_seen || null,
    cell: heardCell,
    value: (node) => ({ last_heard: instant(node.last_seen) }),
  },
  {
    id: "value",
    title: "Value",
    // The most first.
    key: ({ told }) => {
      if (!told) return null;
      return typeof told[1] === "number" ? -told[1] : String(told[1]);
    },
    cell: valueCell,
    value: ({ told }) => ({
      value: told ? told[1] : null,
      unit: told ? told[2] : null,
      value_name: told ? told[0] : null,
      value_at: instant(told?.[3]),
    }),
  },
  words("site", "Site", (node) => node.site),
  words("type", "Type", format.typeText),
  words("device", "Device", (node) => node.device || node.device_type),
  words("short", "16-bit address", (node) => node.short),
  number("clients", "Clients", "clients", format.count),
  number("received", "Received", "bytes_received", format.bytes),
  number("sent", "Sent", "bytes_sent", format.bytes),
  number("retries", "Retries", "retries", format.count),
  number("waiting", "Waiting", "queued", format.bytes),
  number("temperature", "Temp.", "temperature", format.temperature),
];

function total(lists) {
  return lists.reduce((sum, values) => sum + values.reduce((one, other) => one + other, 0), 0);
}

const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

/** Compare two keys: numbers, then texts, and at last blanks, whichever way is sorted. */
export function compareKeys(one, other, direction) {
  if (one === null || other === null) return (one === null) - (other === null);
  if (typeof one !== typeof other) return typeof one === "number" ? -1 : 1;
  const order = typeof one === "number" ? one - other : collator.compare(one, other);
  return direction * order;
}
