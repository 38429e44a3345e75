/**
 * The panes, each of a map but for the first: one shared view, window, crosshair and set of boxes, drawn at most once a frame.
 *
 * Wheel zooms at the pointer, drag pans, right or shift drag sets the window, double click fits,
 * and with the box tool a drag draws a box.
 */

import { MapLayer, valueAt } from "./attribution.js";
import { contextOf } from "./dom.js";
import { greys, ImageLayer, valuesAt } from "./image.js";
import { paintPane } from "./painting.js";
import { boxBetween, fitted, panned, toImage, zoomed } from "./view.js";

const WHEEL_GAIN = 0.0015;
const KEY_ZOOM = 1.25;
const KEY_PAN_PX = 60;
const DRAG_FOR_FULL_WINDOW_PX = 400;
const SMALLEST_BOX_PX = 3;

/**
 * @import { Pane } from "./pane.js"
 * @typedef {{
 *   kind: "window" | "box" | "pan", last: Point, from: Point, corner: Point, window: GreyWindow,
 * }} Drag `corner` is an image point, the others lie on the pane
 */

export class Panes {
  #luts;
  #looks;
  #events;
  #layer = new ImageLayer();
  #mapLayers;
  /** @type {Scene | null} */
  #scene = null;
  /** @type {View} */
  #view = { scale: 1, x: 0, y: 0 };
  #fits = true;
  /** @type {Point | null} */
  #cursor = null;
  /** @type {Rectangle | null} */
  #drawing = null;
  /** @type {Drag | null} */
  #drag = null;
  #frame = 0;
  /** @type {{ key: string, greys: Uint8ClampedArray } | null} */
  #table = null;

  /**
   * @param {Pane[]} panes the first shows the image alone
   * @param {number[][]} luts 256 colours, flat, for each pane of a map
   * @param {Looks} looks
   * @param {{
   *   onWindow: (window: GreyWindow) => void, onBox: (box: Rectangle) => void,
   *   onDrawn: (reading: Case, mapsVisible: boolean) => void,
   * }} events
   */
  constructor(panes, luts, looks, events) {
    this.panes = panes;
    this.#luts = luts;
    this.#mapLayers = luts.map(() => new MapLayer());
    this.#looks = looks;
    this.#events = events;
    for (const pane of this.panes) this.#listen(pane.canvas);
    this.#resized = new ResizeObserver(() => this.#resize());
    for (const pane of this.panes) this.#resized.observe(pane.stage);
  }

  #resized;

  /**
   * Show a case.
   *
   * @param {Scene} scene
   */
  show(scene) {
    const another = this.#scene?.reading.id !== scene.reading.id;
    this.#scene = scene;
    if (another) this.fit();
    this.redraw();
  }

  /** Draw the case on screen without its maps. */
  dropMaps() {
    if (this.#scene) this.#scene.maps = [];
    this.redraw();
  }

  /** Draw nothing. */
  clear() {
    this.#scene = null;
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    for (const { canvas } of this.panes) {
      contextOf(canvas).clearRect(0, 0, canvas.width, canvas.height);
    }
    this.#read();
  }

  /** @param {Rectangle[]} boxes */
  set boxes(boxes) {
    if (this.#scene) this.#scene.boxes = boxes;
    this.redraw();
  }

  /** Show the whole image. */
  fit() {
    this.#fits = true;
    if (this.#scene) this.#view = fitted(this.#scene.image, this.#size);
    this.redraw();
  }

  /** Draw with the next frame. */
  redraw() {
    this.#frame ||= requestAnimationFrame(() => this.#draw());
  }

  stop() {
    this.#resized.disconnect();
    cancelAnimationFrame(this.#frame);
  }

  get #size() {
    const shown = this.panes.find((pane) => pane.stage.clientWidth) ?? this.panes[0];
    return { width: shown.stage.clientWidth || 1, height: shown.stage.clientHeight || 1 };
  }

  #resize() {
    if (this.#fits) this.fit();
    else this.redraw();
  }

  #draw() {
    this.#frame = 0;
    if (!this.#scene) return;
    const { image, maps, reading, boxes } = this.#scene;
    const [view, pane, dpr] = [this.#view, this.#size, devicePixelRatio];
    const corner = toImage(view, pane, { x: 0, y: 0 });
    const visible = { ...corner, width: pane.width / view.scale, height: pane.height / view.scale };
    const layer = this.#layer.paint(image, visible, view.scale * dpr, this.#greys(image));
    const geometry = reading.prediction?.geometry ?? null;
    this.panes.forEach(({ canvas, stage }, index) => {
      if (!stage.clientWidth) return;
      fitCanvas(canvas, pane, dpr);
      paintPane(canvas, {
        view, pane, dpr, image, layer,
        heat: this.#heat(maps[index - 1], index, geometry),
        unseen: index > 0 && geometry && !covers(geometry, image) ? geometry : null,
        boxes: this.#drawing ? [...boxes, this.#drawing] : boxes,
        cursor: this.#cursor,
      });
    });
    this.#read();
    this.#events.onDrawn(reading, this.#looks.heat && maps.some(Boolean));
  }

  /**
   * @param {DrawableMap | null | undefined} map
   * @param {number} index
   * @param {Rectangle | null} geometry
   */
  #heat(map, index, geometry) {
    if (!map || !geometry || !this.#looks.heat) return null;
    const [layer, lut] = [this.#mapLayers[index - 1], this.#luts[index - 1]];
    const canvas = layer.paint(map, lut, this.#looks.threshold);
    return { canvas, opacity: this.#looks.opacity, geometry };
  }

  /** @param {DecodedImage} image */
  #greys(image) {
    const { window, inverted } = this.#looks;
    const key = [image.bits, window.low, window.high, inverted].join();
    if (this.#table?.key !== key) {
      this.#table = { key, greys: greys(image.bits, window, inverted) };
    }
    return this.#table.greys;
  }

  /** Write what lies under the crosshair into the panes' corners. */
  #read() {
    const [scene, point] = [this.#scene, this.#cursor];
    const values = scene && point ? valuesAt(scene.image, point) : null;
    this.panes.forEach((pane, index) => {
      if (!scene || !point || !values || pane.element.hidden) pane.read(null);
      else if (index === 0) pane.readPixel(point, values, scene.reading.image);
      else {
        const [map, geometry] = [scene.maps[index - 1], scene.reading.prediction?.geometry];
        if (map && geometry) pane.readMap(valueAt(map, geometry, point), map.limit);
        else pane.read(null);
      }
    });
  }

  /** @param {HTMLCanvasElement} canvas */
  #listen(canvas) {
    canvas.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    canvas.addEventListener("pointerdown", (event) => this.#press(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    canvas.addEventListener("pointerup", () => this.#release());
    canvas.addEventListener("pointercancel", () => this.#cancelDrag());
    canvas.addEventListener("pointerleave", () => this.#leave());
    canvas.addEventListener("dblclick", () => this.fit());
    canvas.addEventListener("keydown", (event) => this.#key(event));
  }

  /** @param {WheelEvent} event */
  #wheel(event) {
    event.preventDefault();
    this.#zoom(at(event), Math.exp(-event.deltaY * WHEEL_GAIN));
  }

  /**
   * @param {Point} point
   * @param {number} factor
   */
  #zoom(point, factor) {
    if (!this.#scene) return;
    this.#fits = false;
    this.#view = zoomed(this.#view, this.#scene.image, this.#size, point, factor);
    this.redraw();
  }

  /**
   * @param {number} dx
   * @param {number} dy
   */
  #pan(dx, dy) {
    if (!this.#scene) return;
    this.#fits = false;
    this.#view = panned(this.#view, this.#scene.image, dx, dy);
    this.redraw();
  }

  /** @param {PointerEvent} event */
  #press(event) {
    if (!this.#scene || this.#drag) return;
    /** @type {Element} */ (event.target).setPointerCapture(event.pointerId);
    const windowing = event.button === 2 || event.shiftKey;
    const kind = windowing ? "window" : this.#looks.tool === "box" ? "box" : "pan";
    this.#drag = {
      kind, last: at(event), from: at(event), window: this.#looks.window,
      corner: toImage(this.#view, this.#size, at(event)),
    };
  }

  /** @param {PointerEvent} event */
  #move(event) {
    if (!this.#scene) return;
    const point = at(event);
    this.#cursor = toImage(this.#view, this.#size, point);
    const drag = this.#drag;
    if (drag?.kind === "pan") this.#pan(point.x - drag.last.x, point.y - drag.last.y);
    if (drag?.kind === "window") {
      this.#dragWindow(drag, this.#scene.reading.image.window, point);
    }
    if (drag?.kind === "box") {
      this.#drawing = boxBetween(drag.corner, this.#cursor, this.#scene.image);
    }
    if (drag) drag.last = point;
    this.redraw();
  }

  /**
   * Right widens the window, down raises its level (the image gets darker).
   *
   * @param {Drag} drag
   * @param {[number, number]} full the window of the image
   * @param {Point} point where the pointer is
   */
  #dragWindow({ from, window: { low, high } }, full, point) {
    const gain = (full[1] - full[0]) / DRAG_FOR_FULL_WINDOW_PX;
    const width = Math.max(1, high - low + (point.x - from.x) * gain);
    const centre = (low + high) / 2 + (point.y - from.y) * gain;
    this.#events.onWindow({ low: centre - width / 2, high: centre + width / 2 });
  }

  #release() {
    const box = this.#drawing;
    this.#cancelDrag();
    if (box && Math.min(box.width, box.height) >= SMALLEST_BOX_PX) this.#events.onBox(box);
  }

  #cancelDrag() {
    this.#drag = null;
    this.#drawing = null;
    this.redraw();
  }

  #leave() {
    if (this.#drag) return;
    this.#cursor = null;
    this.redraw();
  }

  /**
   * Arrow keys pan and + - zoom while a pane has the focus.
   *
   * @param {KeyboardEvent} event
   */
  #key(event) {
    if (!this.#scene) return;
    /** @type {Record<string, [number, number]>} */
    const pans = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    /** @type {Record<string, number>} */
    const zooms = { "+": KEY_ZOOM, "=": KEY_ZOOM, "-": 1 / KEY_ZOOM };
    const { width, height } = this.#size;
    const pan = pans[event.key];
    if (pan) this.#pan(pan[0] * KEY_PAN_PX, pan[1] * KEY_PAN_PX);
    else if (zooms[event.key]) this.#zoom({ x: width / 2, y: height / 2 }, zooms[event.key]);
    else return;
    event.preventDefault();
  }
}

/** @param {MouseEvent} event */
function at(event) {
  return { x: event.offsetX, y: event.offsetY };
}

/**
 * @param {Rectangle} geometry
 * @param {Size} image
 */
function covers({ x, y, width, height }, image) {
  return x <= 0.5 && y <= 0.5 && x + width >= image.width - 0.5 && y + height >= image.height - 0.5;
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Size} pane
 * @param {number} dpr
 */
function fitCanvas(canvas, pane, dpr) {
  const [width, height] = [Math.round(pane.width * dpr), Math.round(pane.height * dpr)];
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
}
