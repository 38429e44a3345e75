/** Draws one pane: the image, the map over it, what the model did not see, boxes and crosshair. */

import { contextOf } from "./dom.js";
import { toPane } from "./view.js";

const BOX = "#7fe3ee";
const CROSSHAIR = "rgba(127, 227, 238, 0.55)";
const UNSEEN_VEIL = "rgba(14, 17, 22, 0.5)";
const UNSEEN_EDGE = "rgba(215, 221, 228, 0.35)";
const UNSEEN_WORDS = "rgba(215, 221, 228, 0.75)";
const UNSEEN_LABEL_PX = 14;
const PIXELS_SHOW_AT = 12; // device pixels an image pixel, from which on its edges are kept sharp

/**
 * @typedef {{ canvas: OffscreenCanvas, opacity: number, geometry: Rectangle }} Heat
 * @typedef {CanvasRenderingContext2D} Context
 */

/**
 * @param {HTMLCanvasElement} canvas the pane's, already of the right size
 * @param {{
 *   view: View, pane: Size, dpr: number, image: Size,
 *   layer: Rectangle & { canvas: OffscreenCanvas },
 *   heat: Heat | null,
 *   unseen: Rectangle | null,
 *   boxes: Rectangle[], cursor: Point | null,
 * }} scene `layer` as ImageLayer.paint returned it; `unseen` is the model's input, where the rest
 *   is to be veiled; `cursor` is an image point
 */
export function paintPane(canvas, scene) {
  const context = contextOf(canvas);
  const { view, pane, dpr, image, layer, heat, unseen } = scene;
  const scale = view.scale * dpr;
  const origin = toPane(view, pane, { x: 0, y: 0 });
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.fillStyle = "#000";
  context.fillRect(0, 0, canvas.width, canvas.height);

  context.save();
  context.setTransform(scale, 0, 0, scale * view.aspect, origin.x * dpr, origin.y * dpr);
  context.beginPath();
  context.rect(0, 0, image.width, image.height);
  context.clip();
  context.imageSmoothingEnabled = scale < PIXELS_SHOW_AT;
  context.imageSmoothingQuality = "high";
  context.drawImage(layer.canvas, layer.x, layer.y, layer.width, layer.height);
  if (unseen) veil(context, image, unseen, scale);
  if (heat) drawHeat(context, heat, scale);
  context.restore();

  context.setTransform(dpr, 0, 0, dpr, 0, 0);
  if (unseen) nameUnseen(context, view, pane, image, unseen);
  for (const box of scene.boxes) strokeBox(context, view, pane, box);
  if (scene.cursor) crosshair(context, view, pane, scene.cursor);
}

/**
 * @param {Context} context
 * @param {Heat} heat
 * @param {number} scale
 */
function drawHeat(context, { canvas, opacity, geometry }, scale) {
  const magnified = (geometry.width / canvas.width) * scale >= 1;
  context.imageSmoothingEnabled = !magnified;
  context.globalAlpha = opacity;
  context.drawImage(canvas, geometry.x, geometry.y, geometry.width, geometry.height);
  context.globalAlpha = 1;
}

/**
 * @param {Context} context
 * @param {Size} image
 * @param {Rectangle} seen
 * @param {number} scale
 */
function veil(context, image, { x, y, width, height }, scale) {
  const outside = new Path2D();
  outside.rect(0, 0, image.width, image.height);
  outside.rect(x, y, width, height);
  context.fillStyle = UNSEEN_VEIL;
  context.fill(outside, "evenodd");
  context.strokeStyle = UNSEEN_EDGE;
  context.lineWidth = 1 / scale;
  context.setLineDash([6 / scale, 4 / scale]);
  context.strokeRect(x, y, width, height);
  context.setLineDash([]);
}

/**
 * Say what the veil means, where there is room for it above or below the model's input.
 *
 * @param {Context} context
 * @param {View} view
 * @param {Size} pane
 * @param {Size} image
 * @param {Rectangle} seen
 */
function nameUnseen(context, view, pane, image, { x, y, height }) {
  const [above, below] = [y, image.height - y - height]
    .map((px) => px * view.scale * view.aspect);
  if (Math.max(above, below) < UNSEEN_LABEL_PX) return;
  const corner = toPane(view, pane, { x, y: above >= UNSEEN_LABEL_PX ? y : y + height });
  context.fillStyle = UNSEEN_WORDS;
  context.font = "11px sans-serif";
  context.fillText("not seen by the model", corner.x + 2, corner.y + (above >= UNSEEN_LABEL_PX ? -4 : 12));
}

/**
 * @param {Context} context
 * @param {View} view
 * @param {Size} pane
 * @param {Rectangle} box
 */
function strokeBox(context, view, pane, box) {
  const a = toPane(view, pane, box);
  const b = toPane(view, pane, { x: box.x + box.width, y: box.y + box.height });
  context.lineWidth = 3;
  context.strokeStyle = "rgba(0, 0, 0, 0.6)";
  context.strokeRect(a.x, a.y, b.x - a.x, b.y - a.y);
  context.lineWidth = 1.5;
  context.strokeStyle = BOX;
  context.strokeRect(a.x, a.y, b.x - a.x, b.y - a.y);
}

/**
 * A cross with an open middle, so that it does not cover what it points at.
 *
 * @param {Context} context
 * @param {View} view
 * @param {Size} pane
 * @param {Point} point
 */
function crosshair(context, view, pane, point) {
  const { x, y } = toPane(view, pane, point);
  const gap = 8;
  context.strokeStyle = CROSSHAIR;
  context.lineWidth = 1;
  context.beginPath();
  for (const [x1, y1, x2, y2] of [
    [0, y, x - gap, y], [x + gap, y, pane.width, y],
    [x, 0, x, y - gap], [x, y + gap, x, pane.height],
  ]) {
    context.moveTo(x1, y1);
    context.lineTo(x2, y2);
  }
  context.stroke();
}
