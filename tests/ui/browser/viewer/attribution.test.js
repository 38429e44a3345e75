import assert from "node:assert/strict";
import test from "node:test";

import { decodeMap, drawable, fill, valueAt } from "../../../../ui/browser/viewer/attribution.js";

const decoded = (values, width = values.length, height = 1) =>
  decodeMap(Float32Array.from(values).buffer, { width, height });
const range = (n) => Array.from({ length: n }, (_, i) => i);

test("bytes that are no map of this size are refused", () => {
  assert.throws(() => decoded([1, 2, 3], 2, 2), /3 map values, not 2 × 2/);
});

test("a map with values that are not numbers is not drawn", () => {
  const map = decoded([1, NaN, Infinity, 2]);
  assert.equal(map.problem, "2 of its 4 values are not numbers");
  assert.equal(drawable(map), null);
});

test("a flat map is not drawn, be it of zeros or of nearly one value", () => {
  assert.match(decoded([0, 0, 0]).problem, /flat/);
  assert.match(decoded([1, 1, 1.0000001]).problem, /flat/);
});

test("colours saturate at the 99.5th percentile of the size, interpolated", () => {
  assert.equal(decoded(range(101)).limit, 99.5);
  assert.equal(decoded(range(201).map((value) => -value)).limit, 199);
});

test("where the percentile is zero, colours saturate at the largest size", () => {
  assert.equal(decoded([...Array(999).fill(0), -5]).limit, 5);
});

test("what failed to load or is not there may not be drawn", () => {
  const map = decoded([0, 1]);
  assert.deepEqual([drawable(map), drawable(null), drawable(new Error("no"))], [map, null, null]);
});

test("a value is read within the model's input, and nowhere else", () => {
  const map = decoded([1, 2, 3, 4], 2, 2);
  const geometry = { x: 10, y: 20, width: 100, height: 100 };
  assert.equal(valueAt(map, geometry, { x: 10, y: 20 }), 1);
  assert.equal(valueAt(map, geometry, { x: 60, y: 69.9 }), 2);
  assert.equal(valueAt(map, geometry, { x: 109.9, y: 119.9 }), 4);
  assert.equal(valueAt(map, geometry, { x: 9.9, y: 20 }), null);
  assert.equal(valueAt(map, geometry, { x: 110, y: 20 }), null);
  assert.equal(valueAt(map, geometry, { x: 50, y: 120 }), null);
});

// A table whose red is the number of the colour, so that the picture tells which was taken.
const LUT = range(256).flatMap((colour) => [colour, 0, 255 - colour]);

function painted(values, limit, threshold) {
  const rgba = new Uint8ClampedArray(4 * values.length);
  fill(rgba, { width: values.length, height: 1, values: Float32Array.from(values), limit }, LUT, threshold);
  return values.map((_, i) => [...rgba.subarray(4 * i, 4 * i + 4)]);
}

test("zero has the middle colour, and each sign its own end", () => {
  const [zero, most, least] = painted([0, 2, -2], 2, 0);
  assert.deepEqual(zero, [128, 0, 127, 0]);
  assert.deepEqual(most, [255, 0, 0, 255]);
  assert.deepEqual(least, [1, 0, 254, 255]);
});

test("opacity grows with size, and beyond the limit neither it nor the colour does", () => {
  const [half, beyond] = painted([1, 20], 2, 0);
  assert.deepEqual(half, [192, 0, 63, 128]);
  assert.deepEqual(beyond, [255, 0, 0, 255]);
});

test("what is below the threshold, a share of the limit, is not drawn", () => {
  const [below, at] = painted([-0.99, 1], 4, 0.25);
  assert.deepEqual(below, [0, 0, 0, 0]);
  assert.equal(at[3], 64);
});
