import assert from "node:assert/strict";
import test from "node:test";

import { between, nudged, sayings, within } from "../../../../ui/browser/text/masks.js";

const PICTURE = { width: 500, height: 400 };
const key = (name, held = {}) => ({ key: name, shiftKey: false, ctrlKey: false, ...held });

test("a box never leaves the picture", () => {
  assert.deepEqual(within([-20, 390, 60, 40], PICTURE), [0, 360, 60, 40]);
  assert.deepEqual(within([0, 0, 900, 900], PICTURE), [0, 0, 500, 400]);
});

test("a box is of whole pixels and can be seen", () => {
  assert.deepEqual(within([10.4, 10.6, 0.2, 8.5], PICTURE), [10, 11, 4, 9]);
});

test("a drag beyond the edge ends at the edge, from any corner", () => {
  assert.deepEqual(between({ x: 450, y: 350 }, { x: 700, y: -5 }, PICTURE), [450, 0, 50, 350]);
});

test("arrows move a box, with shift they size it, with control by one pixel", () => {
  assert.deepEqual(nudged([10, 10, 50, 20], key("ArrowRight"), PICTURE), [15, 10, 50, 20]);
  assert.deepEqual(nudged([10, 10, 50, 20], key("ArrowDown", { shiftKey: true }), PICTURE), [10, 10, 50, 25]);
  assert.deepEqual(nudged([10, 10, 50, 20], key("ArrowLeft", { ctrlKey: true }), PICTURE), [9, 10, 50, 20]);
  assert.equal(nudged([10, 10, 50, 20], key("a"), PICTURE), null);
});

test("sizing stops at the edge without moving the box", () => {
  assert.deepEqual(nudged([448, 10, 50, 20], key("ArrowRight", { shiftKey: true }), PICTURE), [448, 10, 52, 20]);
});

test("a case that was judged is said to stay", () => {
  const shown = { id: 7, image: "", width: 1, height: 1, held: false, open: true, judged: true, why: [], proposed: [], masks: [] };
  assert.match(sayings(shown, 0), /Case 7 was judged/);
});
