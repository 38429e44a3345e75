import assert from "node:assert/strict";
import test from "node:test";

import { boxBetween, fitted, panned, toImage, toPane, zoomed } from "../../../../ui/browser/viewer/view.js";

const IMAGE = { width: 200, height: 100, aspect: 1 };
const PANE = { width: 400, height: 400 };
const VIEW = { scale: 4, aspect: 1, x: 50, y: 20 };

test("the whole image fits, with its middle in the pane's middle", () => {
  assert.deepEqual(fitted(IMAGE, PANE), { scale: 2, aspect: 1, x: 100, y: 50 });
});

test("a pane's middle lies over the view's point", () => {
  assert.deepEqual(toImage(VIEW, PANE, { x: 200, y: 200 }), { x: 50, y: 20 });
  assert.deepEqual(toImage(VIEW, PANE, { x: 204, y: 192 }), { x: 51, y: 18 });
});

test("the way to the pane and the way to the image undo each other", () => {
  const point = { x: 31, y: 77 };
  assert.deepEqual(toImage(VIEW, PANE, toPane(VIEW, PANE, point)), point);
});

test("pixels twice as tall as wide are drawn so, and points found under them", () => {
  const image = { ...IMAGE, aspect: 2 };
  const view = fitted(image, PANE);
  assert.deepEqual(view, { scale: 2, aspect: 2, x: 100, y: 50 });
  assert.deepEqual(toPane(view, PANE, { x: 0, y: 0 }), { x: 0, y: 0 });
  assert.deepEqual(toPane(view, PANE, { x: 200, y: 100 }), { x: 400, y: 400 });
  assert.deepEqual(toImage(view, PANE, { x: 400, y: 0 }), { x: 200, y: 0 });
  const nearer = zoomed(view, image, PANE, { x: 400, y: 400 }, 2);
  assert.deepEqual(toPane(nearer, PANE, { x: 200, y: 100 }), { x: 400, y: 400 });
  assert.deepEqual(panned(view, image, 0, 40), { ...view, y: 40 });
});

test("zooming holds the image point under the pointer", () => {
  const pointer = { x: 300, y: 120 };
  const before = toImage(VIEW, PANE, pointer);
  const view = zoomed(VIEW, IMAGE, PANE, pointer, 1.5);
  assert.equal(view.scale, 6);
  const after = toImage(view, PANE, pointer);
  assert.ok(Math.hypot(after.x - before.x, after.y - before.y) < 1e-9);
});

test("zoom ends at forty pixels a pixel, and at half of what fits", () => {
  assert.equal(zoomed(VIEW, IMAGE, PANE, { x: 0, y: 0 }, 1e6).scale, 40);
  assert.equal(zoomed(VIEW, IMAGE, PANE, { x: 0, y: 0 }, 1e-6).scale, 1);
});

test("panning moves by pane pixels", () => {
  assert.deepEqual(panned(VIEW, IMAGE, 40, -8), { ...VIEW, x: 40, y: 22 });
});

test("the image cannot be panned out of its pane", () => {
  assert.deepEqual(panned(VIEW, IMAGE, 1e4, 1e4), { ...VIEW, x: 0, y: 0 });
  assert.deepEqual(panned(VIEW, IMAGE, -1e4, -1e4), { ...VIEW, x: 200, y: 100 });
});

test("a box is the same from any of its corners, in whole pixels", () => {
  const box = { x: 10, y: 20, width: 30, height: 40 };
  assert.deepEqual(boxBetween({ x: 10.2, y: 19.8 }, { x: 40.4, y: 60.1 }, IMAGE), box);
  assert.deepEqual(boxBetween({ x: 40.4, y: 19.8 }, { x: 10.2, y: 60.1 }, IMAGE), box);
});

test("a box ends where the image does", () => {
  assert.deepEqual(boxBetween({ x: -5, y: 90 }, { x: 500, y: 900 }, IMAGE), { x: 0, y: 90, width: 200, height: 10 });
});
