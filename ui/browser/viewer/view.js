/**
 * Which part of the image the panes show. All three share one view, so they zoom and pan as one.
 * Its scale is pane pixels per image pixel across; down it is `aspect` times that, since pixels may
 * be taller than wide.
 *
 * All functions are pure.
 */

const MAX_SCALE = 40;

/**
 * The view that shows the whole image in a pane.
 *
 * @param {Drawn} image
 * @param {Size} pane
 * @returns {View}
 */
export function fitted(image, pane) {
  const { aspect } = image;
  const scale = Math.min(pane.width / image.width, pane.height / (image.height * aspect));
  return { scale, aspect, x: image.width / 2, y: image.height / 2 };
}

/**
 * The image point under a pane point.
 *
 * @param {View} view
 * @param {Size} pane
 * @param {Point} point
 * @returns {Point}
 */
export function toImage(view, pane, point) {
  return {
    x: view.x + (point.x - pane.width / 2) / view.scale,
    y: view.y + (point.y - pane.height / 2) / (view.scale * view.aspect),
  };
}

/**
 * The pane point over an image point.
 *
 * @param {View} view
 * @param {Size} pane
 * @param {Point} point
 * @returns {Point}
 */
export function toPane(view, pane, point) {
  return {
    x: pane.width / 2 + (point.x - view.x) * view.scale,
    y: pane.height / 2 + (point.y - view.y) * view.scale * view.aspect,
  };
}

/**
 * Zoom by a factor; the image point under the pointer stays there.
 *
 * @param {View} view
 * @param {Drawn} image
 * @param {Size} pane
 * @param {Point} point
 * @param {number} factor
 * @returns {View}
 */
export function zoomed(view, image, pane, point, factor) {
  const smallest = fitted(image, pane).scale / 2;
  const scale = Math.min(MAX_SCALE, Math.max(smallest, view.scale * factor));
  const held = toImage(view, pane, point);
  return {
    scale,
    aspect: view.aspect,
    x: held.x - (point.x - pane.width / 2) / scale,
    y: held.y - (point.y - pane.height / 2) / (scale * view.aspect),
  };
}

/**
 * Move the image by pane pixels; its centre line never leaves the pane.
 *
 * @param {View} view
 * @param {Size} image
 * @param {number} dx
 * @param {number} dy
 * @returns {View}
 */
export function panned(view, image, dx, dy) {
  return {
    ...view,
    x: Math.min(image.width, Math.max(0, view.x - dx / view.scale)),
    y: Math.min(image.height, Math.max(0, view.y - dy / (view.scale * view.aspect))),
  };
}

/**
 * The rectangle between two image points, cut to the image, in whole pixels.
 *
 * @param {Point} a
 * @param {Point} b
 * @param {Size} image
 * @returns {Rectangle}
 */
export function boxBetween(a, b, image) {
  /** @type {(value: number, limit: number) => number} */
  const within = (value, limit) => Math.round(Math.min(limit, Math.max(0, value)));
  const [left, right] = [a.x, b.x].map((x) => within(x, image.width)).sort((p, q) => p - q);
  const [top, bottom] = [a.y, b.y].map((y) => within(y, image.height)).sort((p, q) => p - q);
  return { x: left, y: top, width: right - left, height: bottom - top };
}
