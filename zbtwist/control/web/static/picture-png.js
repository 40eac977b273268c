// The picture as a PNG: all of it, as it is drawn, with the names for which there is room. It is
// painted anew, since a page may not load an image of its own making.

import { element } from "./dom.js";
import { MIDDLE } from "./layout.js";

/** Pixels of the longer side at the most, and around the picture. */
const LONGEST = 3600;
const MARGIN = 90;

/** Pixels for a unit. */
const SCALE = 2;

function stroke(canvas, path, scale) {
  const style = getComputedStyle(path);
  const data = path.getAttribute("d");
  if (!data || style.display === "none") return;
  canvas.globalAlpha = Number(style.opacity) * Number(style.strokeOpacity);
  canvas.strokeStyle = style.stroke;
  canvas.lineWidth = (parseFloat(style.strokeWidth) * 1.6) / scale;
  const dashes = style.strokeDasharray === "none" ? [] : style.strokeDasharray.split(/[ ,]+/);
  canvas.setLineDash(dashes.map((dash) => (parseFloat(dash) * 1.6) / scale));
  canvas.stroke(new Path2D(data));
  canvas.setLineDash([]);
  canvas.globalAlpha = 1;
}

function write(canvas, text, x, y, colour, ground, alpha = 1) {
  canvas.globalAlpha = alpha;
  canvas.strokeStyle = ground;
  canvas.strokeText(text, x, y);
  canvas.fillStyle = colour;
  canvas.fillText(text, x, y);
  canvas.globalAlpha = 1;
}

/** Paint a scene.
 *
 * @return a canvas.
 */
export function paint(scene, title) {
  const { left, top, width, height } = scene.bounds;
  const scale = Math.min(SCALE, (LONGEST - 2 * MARGIN) / Math.max(width, height));
  const page = element("canvas", {
    width: Math.round(width * scale + 2 * MARGIN),
    height: Math.round(height * scale + 2 * MARGIN),
  });
  const canvas = page.getContext("2d");
  const colours = getComputedStyle(document.documentElement);
  const colour = (name) => colours.getPropertyValue(name).trim();
  const ground = colour("--surface");
  canvas.fillStyle = ground;
  canvas.fillRect(0, 0, page.width, page.height);
  canvas.setTransform(scale, 0, 0, scale, MARGIN - left * scale, MARGIN - top * scale);
  canvas.lineJoin = "round";
  canvas.textAlign = "center";
  for (const ring of scene.rings.querySelectorAll("circle")) {
    canvas.strokeStyle = colour("--line");
    canvas.lineWidth = 1 / scale;
    canvas.setLineDash([2 / scale, 8 / scale]);
    canvas.beginPath();
    canvas.arc(0, 0, Number(ring.getAttribute("r")), 0, 2 * Math.PI);
    canvas.stroke();
  }
  canvas.setLineDash([]);
  for (const path of scene.image.querySelectorAll(".neighbours path, .links path, .way path")) {
    stroke(canvas, path, scale);
  }
  canvas.font = `${22 / scale}px system-ui, sans-serif`;
  canvas.lineWidth = 6 / scale;
  canvas.fillStyle = colour("--accent");
  const half = 18 / scale;
  canvas.fillRect(MIDDLE.x - half, MIDDLE.y - half, 2 * half, 2 * half);
  write(canvas, "coordinator", 0, half + 24 / scale, colour("--text"), ground);
  const box = {
    left: left - MARGIN / scale,
    top: top - MARGIN / scale,
    width: page.width / scale,
    height: page.height / scale,
  };
  const named = scene.namesFor(scale / 1.85, box);
  for (const [address, part] of scene.parts) {
    const dot = getComputedStyle(part.dot);
    const alpha = Number(getComputedStyle(part.group).opacity);
    const radius = (part.kind === "end" ? 8 : 10) / scale;
    canvas.globalAlpha = alpha;
    canvas.beginPath();
    canvas.arc(part.place.x, part.place.y, radius, 0, 2 * Math.PI);
    canvas.fillStyle = dot.fill;
    canvas.fill();
    canvas.strokeStyle = dot.stroke;
    canvas.lineWidth = 3 / scale;
    canvas.stroke();
    canvas.lineWidth = 6 / scale;
    if (named.has(address)) {
      const text = getComputedStyle(part.text).fill;
      write(
        canvas,
        part.label,
        part.place.x,
        part.place.y + radius + 24 / scale,
        text,
        ground,
        alpha,
      );
    }
  }
  canvas.setTransform(1, 0, 0, 1, 0, 0);
  canvas.font = "22px system-ui, sans-serif";
  canvas.textAlign = "left";
  canvas.lineWidth = 6;
  write(canvas, title, 24, page.height - 24, colour("--muted"), ground);
  return page;
}

/** Have the browser save it. */
export async function savePng(scene, title, name) {
  const page = paint(scene, title);
  const blob = await new Promise((done) => {
    page.toBlob(done, "image/png");
  });
  const url = URL.createObjectURL(blob);
  element("a", { href: url, download: name }).click();
  // The browser has begun to read it by then.
  setTimeout(() => URL.revokeObjectURL(url), 10000);
  return blob;
}
