/**
 * A signed attribution map: whether it may be drawn, at which value its colours saturate, and its
 * colours. The rules are those of `xai_core.rendering` and `xai_core.trust`, so that the screen and
 * an exported picture agree.
 */

import { contextOf } from "./dom.js";

const NEUTRAL = 128;
const PERCENTILE = 0.995;
const FLAT = 1e-6;

/**
 * Decode the bytes of /api/map: little-endian float32, rows from the top.
 *
 * @param {ArrayBuffer} buffer
 * @param {Size} size
 * @returns {DecodedMap}
 */
export function decodeMap(buffer, { width, height }) {
  const values = new Float32Array(buffer);
  if (values.length !== width * height) {
    throw new Error(`${values.length} map values, not ${width} × ${height}`);
  }
  const problem = problemOf(values);
  if (problem !== null) return { width, height, values, problem, limit: null };
  return { width, height, values, problem, limit: limitOf(values) };
}

/** @param {Float32Array} values */
function problemOf(values) {
  let [low, high, bad] = [Infinity, -Infinity, 0];
  for (const value of values) {
    if (!Number.isFinite(value)) bad += 1;
    else if (value < low) low = value;
    if (value > high) high = value;
  }
  if (bad) return `${bad} of its ${values.length} values are not numbers`;
  if (high - low <= FLAT * Math.max(Math.abs(low), Math.abs(high))) {
    return "it is flat: all its values are the same";
  }
  return null;
}

/**
 * The 99.5th percentile of |value|, interpolated as NumPy does; the maximum where that is 0.
 *
 * @param {Float32Array} values
 */
function limitOf(values) {
  const sorted = values.map(Math.abs).sort();
  const position = PERCENTILE * (sorted.length - 1);
  const below = sorted[Math.floor(position)];
  const above = sorted[Math.ceil(position)];
  return below + (above - below) * (position % 1) || sorted[sorted.length - 1];
}

/**
 * The map, if it may be drawn.
 *
 * @param {LoadedMap} map
 */
export function drawable(map) {
  return map && "limit" in map && map.limit !== null ? map : null;
}

/**
 * The value at an image point, or null outside the model's input.
 *
 * @param {DrawableMap} map
 * @param {Rectangle} geometry of the model's input in the image
 * @param {Point} point
 */
export function valueAt(map, geometry, point) {
  const x = Math.floor(((point.x - geometry.x) / geometry.width) * map.width);
  const y = Math.floor(((point.y - geometry.y) / geometry.height) * map.height);
  if (x < 0 || y < 0 || x >= map.width || y >= map.height) return null;
  return map.values[y * map.width + x];
}

/** Paints a map's colours; opacity grows with |value|, as in `xai_core.rendering.overlay_png`. */
export class MapLayer {
  #canvas = new OffscreenCanvas(1, 1);
  #context = contextOf(this.#canvas);
  /** @type {unknown[] | null} */
  #painted = null;

  /**
   * @param {DrawableMap} map what decodeMap returned, without a problem
   * @param {number[]} lut 256 colours, flat: what `xai_core.rendering.diverging_lut` returns
   * @param {number} threshold share of the limit below which nothing is drawn
   */
  paint(map, lut, threshold) {
    const job = [map, lut, threshold];
    if (!this.#painted?.every((part, i) => part === job[i])) {
      this.#canvas.width = map.width;
      this.#canvas.height = map.height;
      const picture = new ImageData(map.width, map.height);
      fill(picture.data, map, lut, threshold);
      this.#context.putImageData(picture, 0, 0);
      this.#painted = job;
    }
    return this.#canvas;
  }
}

/**
 * Write the colours of a map, four bytes a pixel; what is below the threshold is left as it is.
 *
 * @param {Uint8ClampedArray} rgba
 * @param {DrawableMap} map
 * @param {number[]} lut
 * @param {number} threshold
 */
export function fill(rgba, { values, limit }, lut, threshold) {
  for (let i = 0; i < values.length; i++) {
    const share = Math.min(1, Math.max(-1, values[i] / limit));
    const strength = Math.abs(share);
    if (strength < threshold) continue;
    const colour = 3 * (NEUTRAL + Math.round((NEUTRAL - 1) * share));
    rgba[4 * i] = lut[colour];
    rgba[4 * i + 1] = lut[colour + 1];
    rgba[4 * i + 2] = lut[colour + 2];
    rgba[4 * i + 3] = Math.round(255 * strength);
  }
}
