// Values as people read them.

const moments = new Intl.DateTimeFormat([], { dateStyle: "medium", timeStyle: "short" });
const whole = new Intl.NumberFormat("en");
const UNITS = ["B", "kB", "MB", "GB", "TB"];

/** How far this computer's clock is behind the gateway's, in seconds. */
let clockDifference = 0;

/** Learn what time it is at the gateway: its times are shown as ages, and clocks differ. */
export function learnTime(seconds) {
  const difference = seconds - Date.now() / 1000;
  // The gateway's time stands for an interval; small differences mean nothing.
  clockDifference = Math.abs(difference) > 30 ? difference : 0;
}

export function count(number) {
  return whole.format(number);
}

/** A number of things, such as "1 node" or "12 nodes". */
export function counted(number, thing) {
  return `${count(number)} ${thing}${number === 1 ? "" : "s"}`;
}

export function bytes(number) {
  let unit = 0;
  let value = number;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 99.5 ? 0 : 1;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

/** How old a time is; the steps are coarse, so that the page is quiet. */
export function age(seconds) {
  const old = Date.now() / 1000 + clockDifference - seconds;
  if (old < 10) return "now";
  if (old < 60) return `${Math.floor(old / 10) * 10} s`;
  if (old < 3600) return `${Math.floor(old / 60)} min`;
  if (old < 86400) return `${Math.floor(old / 3600)} h`;
  return counted(Math.floor(old / 86400), "day");
}

/** How long ago a time is. */
export function ago(seconds) {
  if (!seconds) return "never";
  const text = age(seconds);
  return text === "now" ? text : `${text} ago`;
}

export function moment(seconds) {
  return seconds ? moments.format(seconds * 1000) : "";
}

export function clock(seconds) {
  return new Date(seconds * 1000).toLocaleTimeString([], { hour12: false });
}

/** A signal in words of the field: the gateway gives -dBm. */
export function signal(value) {
  return value === null || value === undefined ? "" : `−${value} dBm`;
}

/** How good a signal is, 0 (none known) to 4 (very strong). A step is 10 dB; an XBee hears
 * down to about -100 dBm. */
export function bars(value) {
  if (value === null || value === undefined) return 0;
  if (value <= 60) return 4;
  if (value <= 70) return 3;
  return value <= 80 ? 2 : 1;
}

export const STRENGTHS = ["unknown", "weak", "fair", "good", "strong"];

/** An address as the feed writes it, of one as programs get it: "[00:13:a2:…]!". */
export function plainAddress(extended) {
  return extended.replace(/^\[|\]!$/g, "");
}

export function temperature(value) {
  return value === null || value === undefined ? "" : `${value.toFixed(1)} °C`;
}

/** A value that a node has told, with its unit: all its digits. */
export function value(value, unit) {
  return `${value} ${unit}`.trim();
}

/** The name that a node goes by: what the configuration calls it, else its node identifier. */
export function nodeName(node) {
  return node.name || node.label || node.address;
}

export function nodeState(node) {
  if (node.problem) return node.problem;
  if (node.unbound) return "unbound";
  return node.port ? "listening" : "no port";
}

/** The port as people write it: its number, or where else its clients find it. */
export function portText(node) {
  if (typeof node.port !== "string") return node.port ? String(node.port) : "";
  // What follows the path says how the socket is made, and is of no use to a client.
  const unix = /^unix:((?:address=)?)((?:\\.|[^\\:])+)/.exec(node.port);
  return unix ? unix[2].replace(/\\(.)/g, "$1") : node.port;
}

/** Where a client is to connect to: host and port, or the path of a socket.
 *
 * @param gateway: which says the address that the ports listen at.
 */
export function portPlace(node, gateway) {
  if (typeof node.port === "string" || !node.port) return portText(node);
  return `${portHost(gateway)}:${node.port}`;
}

/** The host of the ports, as it is written before a colon. */
export function portHost({ interface: address = "" }) {
  const isAny = !address || /^(0\.0\.0\.0|[0:]+)$/.test(address);
  // Where the page was found, the ports are, too.
  if (isAny) return location.hostname;
  return address.includes(":") ? `[${address}]` : address;
}

const TYPES = { end: "end device", router: "router", coordinator: "coordinator" };

export function typeText(node) {
  return TYPES[node.type] || "";
}
