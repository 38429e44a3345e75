/**
 * The panes, each of a map but for the first: one shared view, window, crosshair and set of boxes,
 * drawn at most once a frame.
 */

import { MapLayer, valueAt } from "./attribution.js";
import { contextOf } from "./dom.js";
import { Gestures } from "./gestures.js";
import { greys, ImageLayer, valuesAt } from "./image.js";
import { paintPane } from "./painting.js";
import { fitted, panned, toImage, zoomed } from "./view.js";

/** @import { Pane } from "./pane.js" */

export class Panes {
  #luts;
  #looks;
  #onDrawn;
  #layer = new ImageLayer();
  #mapLayers;
  /** @type {Scene | null} */
  #scene = null;
  /** @type {View} */
  #view = { scale: 1, aspect: 1, x: 0, y: 0 };
  #fits = true;
  /** @type {Point | null} */
  #cursor = null;
  /** @type {Rectangle | null} */
  #sketched = null;
  #frame = 0;
  /** @type {{ key: string, greys: Uint8ClampedArray } | null} */
  #table = null;

  /**
   * @param {Pane[]} panes the first shows the image alone
   * @param {number[][]} luts 256 colours, flat, for each pane of a map
   * @param {Looks} looks
   * @param {{
   *   onWindow: (window: GreyWindow) => void, onBox: (box: Rectangle) => void,
   *   onDrawn: (opened: Case, mapsVisible: boolean) => void,
   * }} events
   */
  constructor(panes, luts, looks, events) {
    this.panes = panes;
    this.#luts = luts;
    this.#mapLayers = luts.map(() => new MapLayer());
    this.#looks = looks;
    this.#onDrawn = events.onDrawn;
    const gestures = new Gestures(this, looks, events);
    for (const pane of this.panes) gestures.listen(pane.canvas);
    this.#resized = new ResizeObserver(() => this.#resize());
    for (const pane of this.panes) this.#resized.observe(pane.stage);
  }

  #resized;

  /** What is drawn, if anything is. */
  get scene() {
    return this.#scene;
  }

  /**
   * Show a case.
   *
   * @param {Scene} scene
   */
  show(scene) {
    const another = this.#scene?.opened.id !== scene.opened.id;
    this.#scene = scene;
    if (another) this.fit();
    this.redraw();
  }

  /**
   * Draw one more map of the case on screen, in the last pane.
   *
   * @param {DrawableMap} map
   */
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

  /**
   * Zoom by a factor; what lies under a pane point stays there.
   *
   * @param {number} factor
   * @param {Point} point the middle where none is given
   */
  zoom(factor, point = { x: this.#size.width / 2, y: this.#size.height / 2 }) {
    if (!this.#scene) return;
    this.#fits = false;
    this.#view = zoomed(this.#view, this.#scene.image, this.#size, point, factor);
    this.redraw();
  }

  /**
   * Move the image by pane pixels.
   *
   * @param {number} dx
   * @param {number} dy
   */
  pan(dx, dy) {
    if (!this.#scene) return;
    this.#fits = false;
    this.#view = panned(this.#view, this.#scene.image, dx, dy);
    this.redraw();
  }

  /**
   * The image point under a pane point.
   *
   * @param {Point} point
   */
  toImage(point) {
    return toImage(this.#view, this.#size, point);
  }

  /**
   * Put the crosshair on an image point, or take it away.
   *
   * @param {Point | null} point
   */
  point(point) {
    this.#cursor = point;
    this.redraw();
  }

  /**
   * Draw a box that is not finished, or no more.
   *
   * @param {Rectangle | null} box
   */
  sketch(box) {
    this.#sketched = box;
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
    const { image, maps, opened, boxes } = this.#scene;
    const [view, pane, dpr] = [this.#view, this.#size, devicePixelRatio];
    const corner = toImage(view, pane, { x: 0, y: 0 });
    const [width, height] = [pane.width / view.scale, pane.height / (view.scale * view.aspect)];
    const visible = { ...corner, width, height };
    const layer = this.#layer.paint(image, visible, view.scale * dpr, this.#greys(image));
    const geometry = opened.prediction?.geometry ?? null;
    this.panes.forEach(({ canvas, stage }, index) => {
      if (!stage.clientWidth) return;
      fitCanvas(canvas, pane, dpr);
      paintPane(canvas, {
        view, pane, dpr, image, layer,
        heat: this.#heat(maps[index - 1], index, geometry),
        unseen: index > 0 && geometry && !covers(geometry, image) ? geometry : null,
        boxes: this.#sketched ? [...boxes, this.#sketched] : boxes,
        cursor: this.#cursor,
      });
    });
    this.#read();
    this.#onDrawn(opened, this.#looks.heat && maps.some(Boolean));
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
    const { bits, padding, curve } = image;
    const key = [bits, padding, curve, window.low, window.high, inverted].join();
    if (this.#table?.key !== key) {
      this.#table = { key, greys: greys(image, window, inverted) };
    }
    return this.#table.greys;
  }

  /** Write what lies under the crosshair into the panes' corners. */
  #read() {
    const [scene, point] = [this.#scene, this.#cursor];
    const values = scene && point ? valuesAt(scene.image, point) : null;
    this.panes.forEach((pane, index) => {
      if (!scene || !point || !values || pane.element.hidden) pane.read(null);
      else if (index === 0) pane.readPixel(point, values, scene.opened.image);
      else {
        const [map, geometry] = [scene.maps[index - 1], scene.opened.prediction?.geometry];
        if (map && geometry) pane.readMap(valueAt(map, geometry, point), map.limit);
        else pane.read(null);
      }
    });
  }
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
