/**
 * The panes, each of a map but for the first: one shared view, window, crosshair and set of boxes, drawn at most once a frame.
 *
 * Wheel zooms at the pointer, drag pans, right or shift drag sets the window, double click fits,
 * and with the box tool a drag draws a box.
 */

import { MapLayer, valueAt } from "./attribution.js";
import { greys, ImageLayer, valuesAt } from "./image.js";
import { paintPane } from "./painting.js";
import { boxBetween, fitted, panned, toImage, zoomed } from "./view.js";

const WHEEL_GAIN = 0.0015;
const KEY_ZOOM = 1.25;
const KEY_PAN_PX = 60;
const DRAG_FOR_FULL_WINDOW_PX = 400;
const SMALLEST_BOX_PX = 3;

export class Panes {
  #luts;
  #looks;
  #events;
  #layer = new ImageLayer();
  #mapLayers;
  #scene = null;
  #view = null;
  #fits = true;
  #cursor = null;
  #drawing = null;
  #drag = null;
  #frame = 0;
  #table = null;

  /**
   * @param panes the first shows the image alone
   * @param luts 256 colours, flat, for each pane of a map
   * @param looks { window, inverted, heat, opacity, threshold, tool }: how things are shown
   * @param events { onWindow(window), onBox(box), onDrawn(reading, mapsVisible) }
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
   * @param scene { reading, image, maps, boxes }; maps are decoded ones, without those that must
   *   not be drawn
   */
  show(scene) {
    const another = this.#scene?.reading.id !== scene.reading.id;
    this.#scene = scene;
    if (another) this.fit();
    this.redraw();
  }

  /** Draw one more map of the case on screen, in the last pane. */
  addMap(map) {
    if (this.#scene) this.#scene.maps[this.panes.length - 2] = map;
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
      canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
    }
    this.#read();
  }

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
        unseen: index && geometry && !covers(geometry, image) ? geometry : null,
        boxes: this.#drawing ? [...boxes, this.#drawing] : boxes,
        cursor: this.#cursor,
      });
    });
    this.#read();
    this.#events.onDrawn(reading, this.#looks.heat && maps.some(Boolean));
  }

  #heat(map, index, geometry) {
    if (!map || !this.#looks.heat) return null;
    const [layer, lut] = [this.#mapLayers[index - 1], this.#luts[index - 1]];
    const canvas = layer.paint(map, lut, this.#looks.threshold);
    return { canvas, opacity: this.#looks.opacity, geometry };
  }

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
    const { reading, image, maps } = this.#scene ?? {};
    const point = this.#scene && this.#cursor;
    const values = point ? valuesAt(image, point) : null;
    this.panes.forEach((pane, index) => {
      if (!values || pane.element.hidden) pane.read(null);
      else if (index === 0) pane.readPixel(point, values, reading.image);
      else if (maps[index - 1]) {
        const map = maps[index - 1];
        pane.readMap(valueAt(map, reading.prediction.geometry, point), map.limit);
      } else pane.read(null);
    });
  }

  #listen(canvas) {
    canvas.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    canvas.addEventListener("pointerdown", (event) => this.#press(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    canvas.addEventListener("pointerup", (event) => this.#release(event));
    canvas.addEventListener("pointercancel", () => this.#cancelDrag());
    canvas.addEventListener("pointerleave", () => this.#leave());
    canvas.addEventListener("dblclick", () => this.fit());
    canvas.addEventListener("keydown", (event) => this.#key(event));
  }

  #wheel(event) {
    event.preventDefault();
    if (this.#scene) this.#zoom(at(event), Math.exp(-event.deltaY * WHEEL_GAIN));
  }

  #zoom(point, factor) {
    this.#fits = false;
    this.#view = zoomed(this.#view, this.#scene.image, this.#size, point, factor);
    this.redraw();
  }

  #pan(dx, dy) {
    this.#fits = false;
    this.#view = panned(this.#view, this.#scene.image, dx, dy);
    this.redraw();
  }

  #press(event) {
    if (!this.#scene || this.#drag) return;
    event.target.setPointerCapture(event.pointerId);
    const windowing = event.button === 2 || event.shiftKey;
    const kind = windowing ? "window" : this.#looks.tool === "box" ? "box" : "pan";
    this.#drag = {
      kind, last: at(event), from: at(event), window: this.#looks.window,
      corner: toImage(this.#view, this.#size, at(event)),
    };
  }

  #move(event) {
    if (!this.#scene) return;
    const point = at(event);
    this.#cursor = toImage(this.#view, this.#size, point);
    const drag = this.#drag;
    if (drag?.kind === "pan") this.#pan(point.x - drag.last.x, point.y - drag.last.y);
    if (drag?.kind === "window") this.#dragWindow(point.x - drag.from.x, point.y - drag.from.y);
    if (drag?.kind === "box") {
      this.#drawing = boxBetween(drag.corner, this.#cursor, this.#scene.image);
    }
    if (drag) drag.last = point;
    this.redraw();
  }

  /** Right widens the window, down raises its level (the image gets darker). */
  #dragWindow(dx, dy) {
    const { low, high } = this.#drag.window;
    const [full, level] = [this.#scene.reading.image.window, (low + high) / 2];
    const gain = (full[1] - full[0]) / DRAG_FOR_FULL_WINDOW_PX;
    const width = Math.max(1, high - low + dx * gain);
    const centre = level + dy * gain;
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

  /** Arrow keys pan and + - zoom while a pane has the focus. */
  #key(event) {
    if (!this.#scene) return;
    const pans = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    const zooms = { "+": KEY_ZOOM, "=": KEY_ZOOM, "-": 1 / KEY_ZOOM };
    const { width, height } = this.#size;
    if (pans[event.key]) this.#pan(...pans[event.key].map((step) => step * KEY_PAN_PX));
    else if (zooms[event.key]) this.#zoom({ x: width / 2, y: height / 2 }, zooms[event.key]);
    else return;
    event.preventDefault();
  }
}

function at(event) {
  return { x: event.offsetX, y: event.offsetY };
}

function covers({ x, y, width, height }, image) {
  return x <= 0.5 && y <= 0.5 && x + width >= image.width - 0.5 && y + height >= image.height - 0.5;
}

function fitCanvas(canvas, pane, dpr) {
  const [width, height] = [Math.round(pane.width * dpr), Math.round(pane.height * dpr)];
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
}
