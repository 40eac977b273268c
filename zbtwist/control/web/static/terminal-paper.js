// A transcript as text, to be copied and saved.

import { count } from "./format.js";
import { rowsOf } from "./terminal-rows.js";

const SIGNS = { received: "<", sent: ">", notice: "-", values: "=" };

function two(number, digits = 2) {
  return String(number).padStart(digits, "0");
}

/** The time of day, to the millisecond: what a protocol's pauses are looked at with. */
export function timeText(milliseconds) {
  const time = new Date(milliseconds);
  const clock = [time.getHours(), time.getMinutes(), time.getSeconds()].map((one) => two(one));
  return `${clock.join(":")}.${two(time.getMilliseconds(), 3)}`;
}

function dateText(milliseconds) {
  const time = new Date(milliseconds);
  return `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
}

/** Each line of each row behind its time and its direction. */
function withTimes(rows, stamp) {
  return rows.map(({ kind, time, text }) => {
    const head = `${stamp(time)} ${SIGNS[kind]} `;
    return head + text.replaceAll("\n", `\n${" ".repeat(head.length)}`);
  });
}

/** What is to be seen, as text. Without times, lines of the node stand as they came. */
export function copyText(transcript, form, hasTimes) {
  const rows = rowsOf(transcript, form);
  const lines = hasTimes
    ? withTimes(rows, timeText)
    : rows.map(({ kind, text }) => (kind === "received" ? text : `${SIGNS[kind]} ${text}`));
  return lines.map((line) => `${line}\n`).join("");
}

/** The transcript as a file, for people.
 *
 * @param title: whose it is.
 */
export function fileText(transcript, form, title) {
  const now = Date.now();
  const lines = [`# ${title}, saved ${dateText(now)} ${timeText(now)}; < from the node, > to it, = decoded`];
  if (transcript.dropped) lines.push(`# ${droppedText(transcript)}`);
  const stamp = (time) => `${dateText(time)} ${timeText(time)}`;
  lines.push(...withTimes(rowsOf(transcript, form), stamp));
  return lines.map((line) => `${line}\n`).join("");
}

export function droppedText({ dropped }) {
  return `${count(dropped)} earlier bytes are not kept.`;
}

/** A name for a file: the node's, and when. */
export function fileName(name, ending) {
  const now = Date.now();
  const plain = name.replace(/[^\p{L}\p{N}._-]+/gu, "_").replace(/^[._]+/, "") || "node";
  const time = timeText(now).slice(0, 8).replaceAll(":", "");
  return `${plain.slice(0, 60)}-${dateText(now)}-${time}.${ending}`;
}

/** Have the browser save a file. */
export function save(name, parts, type) {
  const url = URL.createObjectURL(new Blob(parts, { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  // Not at once: the browser reads it when the click is over.
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}
