import assert from "node:assert/strict";
import test from "node:test";

import { cellMeans, cellOf, scaled, sideOf } from "../../../../ui/browser/viewer/cells.js";

test("there are sixteen cells a side, and fewer where a map is smaller", () => {
  assert.equal(sideOf({ width: 224, height: 224 }, { width: 64, height: 30 }), 16);
  assert.equal(sideOf({ width: 224, height: 224 }, { width: 64, height: 7 }), 7);
});

test("pixels are dealt to cells of nearly equal size", () => {
  assert.deepEqual([...cellOf(7, 3)], [0, 0, 1, 1, 2, 2, 2]);
});

test("a cell is the mean of its pixels", () => {
  const values = Float32Array.of(1, 3, 10, 5, 7, 30);
  assert.deepEqual([...cellMeans({ width: 3, height: 2, values }, 1)], [56 / 6]);
  assert.deepEqual([...cellMeans({ width: 3, height: 2, values }, 2)], [1, 6.5, 5, 18.5]);
});

test("cells are scaled by the largest size; zero stays zero", () => {
  assert.deepEqual([...scaled(Float64Array.of(-4, 0, 2))], [-1, 0, 0.5]);
  assert.deepEqual([...scaled(Float64Array.of(0, 0))], [0, 0]);
});
