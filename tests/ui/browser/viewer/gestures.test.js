import assert from "node:assert/strict";
import test from "node:test";

import { windowAfter } from "../../../../ui/browser/viewer/gestures.js";

const FULL = [0, 4000]; // ten grey values a pixel
const DRAG = { from: { x: 50, y: 50 }, window: { low: 1000, high: 2000 } };

test("dragging right widens the window about its level", () => {
  assert.deepEqual(windowAfter(DRAG, FULL, { x: 60, y: 50 }), { low: 950, high: 2050 });
});

test("dragging down raises the level, so that the image gets darker", () => {
  assert.deepEqual(windowAfter(DRAG, FULL, { x: 50, y: 70 }), { low: 1200, high: 2200 });
});

test("a window is never narrower than one value", () => {
  assert.deepEqual(windowAfter(DRAG, FULL, { x: -500, y: 50 }), { low: 1499.5, high: 1500.5 });
});
