/**
 * The image's raw pixels, and how a window turns them into greys.
 *
 * A pyramid of halved copies bounds the work of a frame by what a pane shows, not by the size of
 * the image: window/level on 3000 x 3000 pixels costs what it costs on 1000 x 1000.
 */

import { contextOf } from "./dom.js";

const SMALLEST_LEVEL_PX = 512;

/**
 * Decode the bytes of /api/pixels: little-endian, rows from the top, channels interleaved.
 *
 * @param {ArrayBuffer} buffer
 * @param {Pick<ImageEntry, "width" | "height" | "channels" | "bits" | "padding" | "curve" | "aspect">} entry
 * @returns {DecodedImage}
 */
export function decodeImage(buffer, { width, height, channels, bits, padding, curve, aspect }) {
  const data = bits > 8 ? new Uint16Array(buffer) : new Uint8Array(buffer);
  if (data.length !== width * height * channels) {
    throw new Error(`${data.length} pixel values, not ${width} × ${height} × ${channels}`);
  }
  const levels = [];
  for (let level = { width, height, data }; ; level = halved(level, channels, padding)) {
    levels.push(level);
    if (Math.max(level.width, level.height) <= SMALLEST_LEVEL_PX) break;
  }
  return { width, height, channels, bits, padding, curve, aspect, levels };
}

/**
 * Average 2 x 2 pixels; an odd last row or column is averaged with itself. Padding stays padding:
 * averaged with the picture, it would be a value of neither.
 *
 * @param {Level} level
 * @param {number} channels
 * @param {[number, number] | null} padding
 * @returns {Level}
 */
function halved({ width, height, data }, channels, padding) {
  const [w, h] = [(width + 1) >> 1, (height + 1) >> 1];
  const n = w * h * channels;
  const half = data instanceof Uint16Array ? new Uint16Array(n) : new Uint8Array(n);
  const row = width * channels;
  let i = 0;
  for (let y = 0; y < h; y++) {
    const top = 2 * y * row;
    const bottom = Math.min(2 * y + 1, height - 1) * row;
    for (let x = 0; x < w; x++) {
      const left = 2 * x * channels;
      const right = Math.min(2 * x + 1, width - 1) * channels;
      for (let c = 0; c < channels; c++) {
        const [p, q] = [top + left + c, top + right + c];
        const [r, s] = [bottom + left + c, bottom + right + c];
        const sum = data[p] + data[q] + data[r] + data[s];
        half[i++] = padding && [p, q, r, s].some((at) => isPadding(data[at], padding))
          ? padding[0] : (sum + 2) >> 2;
      }
    }
  }
  return { width: w, height: h, data: half };
}

/** @type {(value: number, padding: [number, number]) => boolean} */
const isPadding = (value, [first, last]) => value >= first && value <= last;

/**
 * The raw values at an image point, one a channel, or null outside the image.
 *
 * @param {DecodedImage} image
 * @param {Point} point
 */
export function valuesAt(image, point) {
  const [x, y] = [Math.floor(point.x), Math.floor(point.y)];
  if (x < 0 || y < 0 || x >= image.width || y >= image.height) return null;
  const first = (y * image.width + x) * image.channels;
  return Array.from(image.levels[0].data.subarray(first, first + image.channels));
}

/**
 * Greys, 0 to 255, for each raw value under a window, as `imaging.encode.units` has them.
 *
 * @param {Pick<DecodedImage, "bits" | "padding" | "curve">} image
 * @param {GreyWindow} window
 * @param {boolean} inverted
 */
export function greys({ bits, padding, curve }, { low, high }, inverted) {
  const table = new Uint8ClampedArray(bits > 8 ? 65536 : 256);
  const gain = 255 / Math.max(high - low, 1e-9);
  for (let value = 0; value < table.length; value++) {
    const ramp = (value - low) * gain;
    table[value] = curve === "sigmoid" ? 255 / (1 + Math.exp(2 - (4 * ramp) / 255)) : ramp;
    if (inverted) table[value] = 255 - table[value];
  }
  if (padding) table.fill(0, padding[0], padding[1] + 1);
  return table;
}

/** Paints the visible part of an image once a frame; every pane draws the result. */
export class ImageLayer {
  #canvas = new OffscreenCanvas(1, 1);
  #context = contextOf(this.#canvas);
  #bytes = new ArrayBuffer(0);
  /** @type {unknown[] | null} */
  #painted = null;

  /**
   * Paint what is visible and return where it lies: { canvas, x, y, width, height } in image
   * pixels.
   *
   * @param {DecodedImage} image what decodeImage returned
   * @param {Rectangle} visible rectangle of the image, in image pixels
   * @param {number} scale device pixels per image pixel
   * @param {Uint8ClampedArray} table what greys() returned
   */
  paint(image, visible, scale, table) {
    const wanted = Math.max(0, Math.floor(Math.log2(1 / scale)));
    const index = Math.min(image.levels.length - 1, wanted);
    const level = image.levels[index];
    const step = 2 ** index;
    const left = Math.max(0, Math.floor(visible.x / step));
    const top = Math.max(0, Math.floor(visible.y / step));
    const right = Math.min(level.width, Math.ceil((visible.x + visible.width) / step));
    const bottom = Math.min(level.height, Math.ceil((visible.y + visible.height) / step));
    const [width, height] = [Math.max(1, right - left), Math.max(1, bottom - top)];
    const place = { x: left * step, y: top * step, width: width * step, height: height * step };
    const job = [image, index, left, top, width, height, table];
    if (!this.#painted?.every((part, i) => part === job[i])) {
      this.#fill(level, image.channels, { left, top, width, height }, table);
      this.#painted = job;
    }
    return { canvas: this.#canvas, ...place };
  }

  /**
   * @param {Level} level
   * @param {number} channels
   * @param {{ left: number, top: number, width: number, height: number }} part
   * @param {Uint8ClampedArray} table
   */
  #fill(level, channels, { left, top, width, height }, table) {
    if (this.#bytes.byteLength < 4 * width * height) {
      this.#bytes = new ArrayBuffer(4 * width * height);
    }
    const packed = new Uint32Array(this.#bytes, 0, width * height);
    for (let y = 0, i = 0; y < height; y++) {
      const row = ((top + y) * level.width + left) * channels;
      if (channels === 1) {
        for (let x = row; x < row + width; x++) {
          packed[i++] = 0xff000000 | (table[level.data[x]] * 0x010101);
        }
      } else {
        for (let x = row; x < row + 3 * width; x += 3) {
          packed[i++] = 0xff000000 | (table[level.data[x + 2]] << 16)
            | (table[level.data[x + 1]] << 8) | table[level.data[x]];
        }
      }
    }
    this.#canvas.width = width;
    this.#canvas.height = height;
    const rgba = new Uint8ClampedArray(this.#bytes, 0, 4 * width * height);
    this.#context.putImageData(new ImageData(rgba, width, height), 0, 0);
  }
}
