/**
 * What the hand does on a pane: the wheel zooms at the pointer, a drag pans, a right or shift drag
 * sets the window, a double click fits, and with the box tool a drag draws a box.
 */

import { boxBetween } from "./view.js";

const WHEEL_GAIN = 0.0015;
const KEY_ZOOM = 1.25;
const KEY_PAN_PX = 60;
const DRAG_FOR_FULL_WINDOW_PX = 400;
const SMALLEST_BOX_PX = 3;

/**
 * @import { Panes } from "./panes.js"
 * @typedef {{
 *   kind: "window" | "box" | "pan", last: Point, from: Point, corner: Point, window: GreyWindow,
 * }} Drag `corner` is an image point, the others lie on the pane
 */

export class Gestures {
  #panes;
  #looks;
  #events;
  /** @type {Drag | null} */
  #drag = null;
  /** @type {Rectangle | null} */
  #box = null;

  /**
   * @param {Panes} panes
   * @param {Looks} looks
   * @param {{ onWindow: (window: GreyWindow) => void, onBox: (box: Rectangle) => void }} events
   */
  constructor(panes, looks, events) {
    this.#panes = panes;
    this.#looks = looks;
    this.#events = events;
  }

  /** @param {HTMLCanvasElement} canvas of a pane */
  listen(canvas) {
    canvas.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    canvas.addEventListener("pointerdown", (event) => this.#press(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    canvas.addEventListener("pointerup", () => this.#release());
    canvas.addEventListener("pointercancel", () => this.#end());
    canvas.addEventListener("pointerleave", () => { if (!this.#drag) this.#panes.point(null); });
    canvas.addEventListener("dblclick", () => this.#panes.fit());
    canvas.addEventListener("keydown", (event) => this.#key(event));
  }

  /** @param {WheelEvent} event */
  #wheel(event) {
    event.preventDefault();
    this.#panes.zoom(Math.exp(-event.deltaY * WHEEL_GAIN), at(event));
  }

  /** @param {PointerEvent} event */
  #press(event) {
    if (!this.#panes.scene || this.#drag) return;
    /** @type {Element} */ (event.target).setPointerCapture(event.pointerId);
    const windowing = event.button === 2 || event.shiftKey;
    const [point, { tool, window }] = [at(event), this.#looks];
    this.#drag = {
      kind: windowing ? "window" : tool, last: point, from: point, window,
      corner: this.#panes.toImage(point),
    };
  }

  /** @param {PointerEvent} event */
  #move(event) {
    const { scene } = this.#panes;
    if (!scene) return;
    const point = at(event);
    const [drag, cursor] = [this.#drag, this.#panes.toImage(point)];
    this.#panes.point(cursor);
    if (!drag) return;
    if (drag.kind === "pan") this.#panes.pan(point.x - drag.last.x, point.y - drag.last.y);
    if (drag.kind === "window") {
      this.#events.onWindow(windowAfter(drag, scene.opened.image.window, point));
    }
    if (drag.kind === "box") this.#sketch(boxBetween(drag.corner, cursor, scene.image));
    drag.last = point;
  }

  #release() {
    const box = this.#box;
    this.#end();
    if (box && Math.min(box.width, box.height) >= SMALLEST_BOX_PX) this.#events.onBox(box);
  }

  #end() {
    this.#drag = null;
    this.#sketch(null);
  }

  /** @param {Rectangle | null} box */
  #sketch(box) {
    this.#box = box;
    this.#panes.sketch(box);
  }

  /**
   * Arrow keys pan and + - zoom while a pane has the focus.
   *
   * @param {KeyboardEvent} event
   */
  #key(event) {
    if (!this.#panes.scene) return;
    /** @type {Record<string, [number, number]>} */
    const pans = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    /** @type {Record<string, number>} */
    const zooms = { "+": KEY_ZOOM, "=": KEY_ZOOM, "-": 1 / KEY_ZOOM };
    const pan = pans[event.key];
    if (pan) this.#panes.pan(pan[0] * KEY_PAN_PX, pan[1] * KEY_PAN_PX);
    else if (zooms[event.key]) this.#panes.zoom(zooms[event.key]);
    else return;
    event.preventDefault();
  }
}

/**
 * The window that a drag makes: right widens it, down raises its level (the image gets darker).
 *
 * @param {Pick<Drag, "from" | "window">} drag
 * @param {[number, number]} full the window of the image
 * @param {Point} point where the pointer is
 * @returns {GreyWindow}
 */
export function windowAfter({ from, window: { low, high } }, full, point) {
  const gain = (full[1] - full[0]) / DRAG_FOR_FULL_WINDOW_PX;
  const width = Math.max(1, high - low + (point.x - from.x) * gain);
  const centre = (low + high) / 2 + (point.y - from.y) * gain;
  return { low: centre - width / 2, high: centre + width / 2 };
}

/** @param {MouseEvent} event */
function at(event) {
  return { x: event.offsetX, y: event.offsetY };
}
