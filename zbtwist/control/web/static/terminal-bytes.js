// What bytes look like: as text with nothing lost, as a dump in hexadecimal, and which of the two
// they are; and bytes from what somebody has written.

/** How many of a piece's bytes may be odd until it is binary; and when the bytes before it were,
 * and no line ends with it. A line with a control character here and there is text, and so is one
 * in a code of the last century; a Modbus frame is not. */
const ODD_IN_TEXT = 0.25;
const ODD_AFTER_BINARY = 0.1;

/** A piece of so few bytes is no sign then that text begins. */
const SHORT = 4;

// Kept as it is, not swallowed.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** How many bytes a letter of UTF-8 has that begins so; 0 if none does: RFC 3629, 4. */
function sizeBy(lead) {
  if (lead < 0x80) return 1;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  return lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

/** How many bytes the letter at a place has, 0 if there is none. */
function letterAt(bytes, at) {
  const size = sizeBy(bytes[at]);
  if (size < 2) return size;
  const lead = bytes[at];
  const second = bytes[at + 1];
  if ((lead === 0xe0 && second < 0xa0) || (lead === 0xed && second > 0x9f)) return 0;
  if ((lead === 0xf0 && second < 0x90) || (lead === 0xf4 && second > 0x8f)) return 0;
  for (let next = at + 1; next < at + size; next += 1) {
    if ((bytes[next] & 0xc0) !== 0x80) return 0;
  }
  return size;
}

/** How many bytes at the end may be the beginning of a letter that has not come as a whole. */
function unfinished(bytes) {
  for (let back = 1; back < 4 && back <= bytes.length; back += 1) {
    const byte = bytes[bytes.length - back];
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) return sizeBy(byte) > back ? back : 0;
  }
  return 0;
}

/** Whether a control character is one that text has: bell to carriage return, and escape. */
function isUsual(byte) {
  return byte >= 0x20 ? byte !== 0x7f : (byte >= 0x07 && byte <= 0x0d) || byte === 0x1b;
}

/** Each byte as two digits, and as a letter if it is one of ASCII. */
const DIGITS = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
const LETTERS = DIGITS.map((_, byte) =>
  byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "·",
);

export function escaped(bytes) {
  return Array.from(bytes, (byte) => `\\x${DIGITS[byte]}`).join("");
}

/** Look at bytes as text.
 *
 * @return end: how many there are, without those after which more must come first; odd: how many
 *   are none of text; strays: where those are that are no letter at all.
 */
export function inspect(bytes) {
  const end = bytes.length - unfinished(bytes);
  const strays = [];
  let odd = 0;
  let at = 0;
  while (at < end) {
    const size = letterAt(bytes, at);
    if (!size) strays.push(at);
    if (!size || (size === 1 && !isUsual(bytes[at]))) odd += 1;
    at += size || 1;
  }
  return { end, odd, strays };
}

/** Read bytes as text. What is no letter of UTF-8 is written as \xfc. */
export function textOf(bytes, { end, strays }) {
  const parts = [];
  let start = 0;
  for (const stray of strays) {
    if (start < stray) parts.push(decoder.decode(bytes.subarray(start, stray)));
    parts.push("\\x", DIGITS[bytes[stray]]);
    start = stray + 1;
  }
  if (start < end) parts.push(decoder.decode(bytes.subarray(start, end)));
  return parts.join("");
}

/** Whether a piece is binary.
 *
 * @param after: whether the piece before it was.
 */
export function isBinary(bytes, { end, odd }, after) {
  const last = bytes[bytes.length - 1];
  if (!after || last === 0x0a || last === 0x0d) return odd > end * ODD_IN_TEXT;
  return odd > end * ODD_AFTER_BINARY || end < SHORT;
}

/** Text without control characters: each is shown by its picture. Line ends stay. */
export function printable(text) {
  return text
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, (letter) =>
      String.fromCharCode(0x2400 + letter.charCodeAt(0)),
    )
    .replace(/\u007f/g, "\u2421")
    .replace(/[\u0080-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "\ufffd");
}

/** A dump: offset, bytes, and what of them is a letter of ASCII.
 *
 * @param width: bytes in a line.
 * @param offset: of the first.
 */
export function dump(bytes, width, offset = 0) {
  const lines = [];
  for (let start = 0; start < bytes.length; start += width) {
    let digits = "";
    let letters = "";
    for (const byte of bytes.subarray(start, start + width)) {
      digits += `${DIGITS[byte]} `;
      letters += LETTERS[byte];
    }
    const place = (offset + start).toString(16).padStart(4, "0");
    lines.push(`${place}  ${digits.padEnd(3 * width)} ${letters}`);
  }
  return lines.join("\n");
}

/** Read bytes written in hexadecimal.
 *
 * @throws Error with a sentence, if something else stands there.
 */
export function parseHex(text) {
  const words = text.trim().replace(/0x/gi, "").split(/[\s,:]+/).filter(Boolean);
  const bytes = [];
  for (const word of words) {
    if (!/^([0-9a-f]{2})+$/i.test(word)) {
      throw new Error(`“${word}” is no byte: write two hexadecimal digits each, as in 41 0d.`);
    }
    bytes.push(...fromHex(word));
  }
  if (!bytes.length) throw new Error("Write two hexadecimal digits for each byte, as in 41 0d.");
  return Uint8Array.from(bytes);
}

/** Bytes of two hexadecimal digits each, with nothing in between. */
export function fromHex(digits) {
  const bytes = new Uint8Array(digits.length / 2);
  for (let at = 0; at < bytes.length; at += 1) {
    bytes[at] = parseInt(digits.slice(2 * at, 2 * at + 2), 16);
  }
  return bytes;
}

/** Pieces as one. */
export function joined(pieces) {
  const bytes = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}
