// Ten minutes of traffic as a small picture: received above the line, sent below it, and lost, in
// red, at the place of what should have been sent.

import { setAttribute, svg } from "./dom.js";
import { bytes } from "./format.js";

/** Intervals that one bar stands for, and where the bars begin anew. */
const TOGETHER = 2;

const WIDTH = 3;
const BAR = 2.2;
const ABOVE = 11;
const BELOW = 7;

/** Add up neighbours: always the same ones, so that a bar only moves and does not change. */
function bars(values, number) {
  const summed = [];
  let place = -1;
  values.forEach((value, index) => {
    const next = Math.floor((number - values.length + index) / TOGETHER);
    if (next !== place) summed.push(0);
    place = next;
    summed[summed.length - 1] += value;
  });
  return summed;
}

function sum(values) {
  return values.reduce((total, value) => total + value, 0);
}

export function inWords([received, sent, lost]) {
  const text = `${bytes(sum(received))} received, ${bytes(sum(sent))} sent`;
  return sum(lost) ? `${text}, ${bytes(sum(lost))} lost` : text;
}

export class Sparkline {
  constructor() {
    this.parts = ["received", "sent", "lost"].map((name) => svg("path", { class: name }));
    this.image = svg(
      "svg",
      // It fills its place, however wide that is.
      { class: "spark", role: "img", preserveAspectRatio: "none" },
      ...this.parts,
    );
    this.shown = null;
  }

  /** @param series: as `RecentTraffic` has it, and `number`, that of its last interval. */
  show(series, number) {
    const [received, sent, lost] = series.map((values) => bars(values, number));
    const count = received.length;
    const most = Math.max(1, ...received, ...sent, ...lost);
    const width = WIDTH * Math.ceil((series[0].length + 1) / TOGETHER);
    // What is there is seen, however little it is.
    const height = (value, room) => (value ? Math.max(1, (room * value) / most) : 0);
    const draw = (values, top) =>
      values
        .map((value, index) => {
          if (!value) return "";
          const [from, to] = top(value, index);
          const x = (width - WIDTH * (count - index)).toFixed(1);
          return `M${x} ${from.toFixed(1)}h${BAR}V${to.toFixed(1)}h-${BAR}z`;
        })
        .join("");
    const paths = [
      draw(received, (value) => [ABOVE - height(value, ABOVE), ABOVE]),
      draw(sent, (value) => [ABOVE, ABOVE + height(value, BELOW)]),
      // Lost is never hidden behind what arrived.
      draw(lost, (value, index) => {
        const from = Math.min(ABOVE + height(sent[index], BELOW), ABOVE + BELOW - 4);
        return [from, Math.min(ABOVE + BELOW, from + Math.max(4, height(value, BELOW)))];
      }),
    ];
    setAttribute(this.image, "viewBox", `0 0 ${width} ${ABOVE + BELOW}`);
    paths.forEach((path, which) => setAttribute(this.parts[which], "d", path || null));
    this.image.classList.toggle("still", !paths.some(Boolean));
    setAttribute(this.image, "aria-label", `Last 10 minutes: ${inWords(series)}`);
  }
}
