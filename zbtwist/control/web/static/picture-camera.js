// Which part of the picture is seen, and how large: moved with the wheel, by dragging, with two
// fingers, and with keys.

/** Scales: so small, and so large, the picture can be. */
const SMALLEST = 0.05;
const LARGEST = 6;

/** Pixels that a pointer moves before it drags, and that a key moves the picture. */
const DRAG = 4;
const STEP = 60;

export class Camera {
  /** @param frame: the element that it is seen in.
   *  @param moved: is called when another part is seen. */
  constructor(frame, moved) {
    this.frame = frame;
    this.moved = moved;
    /** What is in the middle of the frame, and pixels for a unit of the picture. */
    this.x = 0;
    this.y = 0;
    this.scale = 1;
    /** Whether somebody has chosen what is seen. */
    this.isChosen = false;
    this.pointers = new Map();
    this.hasDragged = false;
    frame.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    frame.addEventListener("pointerdown", (event) => this.down(event));
    frame.addEventListener("pointermove", (event) => this.move(event));
    for (const kind of ["pointerup", "pointercancel"]) {
      frame.addEventListener(kind, (event) => this.pointers.delete(event.pointerId));
    }
    // Whoever has dragged has not clicked.
    frame.addEventListener(
      "click",
      (event) => {
        if (this.hasDragged) event.stopPropagation();
        this.hasDragged = false;
      },
      true,
    );
    frame.addEventListener("keydown", (event) => this.key(event));
  }

  get width() {
    return this.frame.clientWidth;
  }

  get height() {
    return this.frame.clientHeight;
  }

  /** Where the frame is in the window, without its border. */
  get corner() {
    const { left, top } = this.frame.getBoundingClientRect();
    return { left: left + this.frame.clientLeft, top: top + this.frame.clientTop };
  }

  /** What is seen, in units of the picture. */
  get box() {
    const width = this.width / this.scale;
    const height = this.height / this.scale;
    return { left: this.x - width / 2, top: this.y - height / 2, width, height };
  }

  /** Show all of a box.
   *
   * @param margin: pixels around it: across, and up and down.
   */
  fit({ left, top, width, height }, margin) {
    const across = Math.max(40, this.width - 2 * margin.x) / Math.max(1, width);
    const down = Math.max(40, this.height - 2 * margin.y) / Math.max(1, height);
    this.x = left + width / 2;
    this.y = top + height / 2;
    this.scale = Math.min(1.4, Math.max(SMALLEST, Math.min(across, down)));
    this.moved();
  }

  /** Bring a place into the middle, large enough to be read. */
  goTo({ x, y }) {
    this.isChosen = true;
    this.x = x;
    this.y = y;
    this.scale = Math.max(this.scale, 0.9);
    this.moved();
  }

  /** Make it larger or smaller; a point of the frame, in pixels, shows the same as before. */
  zoom(factor, across = this.width / 2, down = this.height / 2) {
    const scale = Math.min(LARGEST, Math.max(SMALLEST, this.scale * factor));
    const shift = 1 / this.scale - 1 / scale;
    this.isChosen = true;
    this.x += (across - this.width / 2) * shift;
    this.y += (down - this.height / 2) * shift;
    this.scale = scale;
    this.moved();
  }

  /** Move the picture by so many pixels. */
  pan(across, down) {
    this.isChosen = true;
    this.x -= across / this.scale;
    this.y -= down / this.scale;
    this.moved();
  }

  wheel(event) {
    if (event.target.closest(".picture-card")) return;
    event.preventDefault();
    // Lines, where a browser counts those. Two fingers on a touchpad come as a wheel with Ctrl.
    const pixels = event.deltaMode === 1 ? event.deltaY * 16 : event.deltaY;
    const { left, top } = this.corner;
    const factor = Math.exp(-pixels * (event.ctrlKey ? 0.01 : 0.0015));
    this.zoom(factor, event.clientX - left, event.clientY - top);
  }

  down(event) {
    if (event.button || event.target.closest(".picture-card")) return;
    if (!this.pointers.size) this.hasDragged = false;
    this.pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  }

  move(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const now = { x: event.clientX, y: event.clientY };
    if (this.pointers.size === 1) {
      const across = now.x - before.x;
      const down = now.y - before.y;
      if (!this.hasDragged && Math.hypot(across, down) < DRAG) return;
      if (!this.hasDragged) this.frame.setPointerCapture(event.pointerId);
      this.hasDragged = true;
      this.pan(across, down);
    } else {
      const other = [...this.pointers].find(([id]) => id !== event.pointerId)[1];
      const apart = (one) => Math.max(1, Math.hypot(one.x - other.x, one.y - other.y));
      const { left, top } = this.corner;
      this.hasDragged = true;
      this.pan((now.x - before.x) / 2, (now.y - before.y) / 2);
      this.zoom(
        apart(now) / apart(before),
        (now.x + other.x) / 2 - left,
        (now.y + other.y) / 2 - top,
      );
    }
    this.pointers.set(event.pointerId, now);
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const isFrame = event.target === this.frame;
    const moves = {
      ArrowLeft: [STEP, 0],
      ArrowRight: [-STEP, 0],
      ArrowUp: [0, STEP],
      ArrowDown: [0, -STEP],
    };
    if (event.key === "+" || event.key === "=") this.zoom(1.25);
    else if (event.key === "-") this.zoom(0.8);
    // With a node in hand, arrows go to another node.
    else if (isFrame && moves[event.key]) this.pan(...moves[event.key]);
    else return;
    event.preventDefault();
  }
}
