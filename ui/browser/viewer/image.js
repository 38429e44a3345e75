/**
 * The image's raw pixels, and how a window turns them into greys.
 *
 * A pyramid of halved copies bounds the work of a frame by what a pane shows, not by the size of
 * the image: window/level on 3000 x 3000 pixels costs what it costs on 1000 x 1000.
 */

/** Decode the bytes of /api/pixels: little-endian, rows from the top, channels interleaved. */
export function decodeImage(buffer, { width, height, channels, bits }) {
  const data = bits > 8 ? new Uint16Array(buffer) : new Uint8Array(buffer);
  if (data.length !== width * height * channels) {
    throw new Error(`${data.length} pixel values, not ${width} × ${height} × ${channels}`);
  }
  const levels = [{ width, height, data }];
  while (Math.max(levels.at(-1).width, levels.at(-1).height) > 512) {
    levels.push(halved(levels.at(-1), channels));
  }
  return { width, height, channels, bits, levels };
}

/** Average 2 x 2 pixels; an odd last row or column is averaged with itself. */
function halved({ width, height, data }, channels) {
  const [w, h] = [(width + 1) >> 1, (height + 1) >> 1];
  const half = new data.constructor(w * h * channels);
  const row = width * channels;
  let i = 0;
  for (let y = 0; y < h; y++) {
    const top = 2 * y * row;
    const bottom = Math.min(2 * y + 1, height - 1) * row;
    for (let x = 0; x < w; x++) {
      const left = 2 * x * channels;
      const right = Math.min(2 * x + 1, width - 1) * channels;
      for (let c = 0; c < channels; c++) {
        const sum = data[top + left + c] + data[top + right + c]
          + data[bottom + left + c] + data[bottom + right + c];
        half[i++] = (sum + 2) >> 2;
      }
    }
  }
  return { width: w, height: h, data: half };
}

/** The raw values at an image point, one a channel, or null outside the image. */
export function valuesAt(image, point) {
  const [x, y] = [Math.floor(point.x), Math.floor(point.y)];
  if (x < 0 || y < 0 || x >= image.width || y >= image.height) return null;
  const first = (y * image.width + x) * image.channels;
  return Array.from(image.levels[0].data.subarray(first, first + image.channels));
}

/** Greys, 0 to 255, for each raw value under a window { low, high }. */
export function greys(bits, { low, high }, inverted) {
  const table = new Uint8ClampedArray(bits > 8 ? 65536 : 256);
  const gain = 255 / Math.max(high - low, 1e-9);
  for (let value = 0; value < table.length; value++) table[value] = (value - low) * gain;
  if (inverted) for (let value = 0; value < table.length; value++) table[value] = 255 - table[value];
  return table;
}

/** Paints the visible part of an image once a frame; every pane draws the result. */
export class ImageLayer {
  #canvas = new OffscreenCanvas(1, 1);
  #context = this.#canvas.getContext("2d");
  #bytes = new ArrayBuffer(0);
  #painted = null;

  /**
   * Paint what is visible and return where it lies: { canvas, x, y, width, height } in image
   * pixels.
   *
   * @param image what decodeImage returned
   * @param visible rectangle of the image, in image pixels
   * @param scale device pixels per image pixel
   * @param table what greys() returned
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
