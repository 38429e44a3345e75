import assert from "node:assert/strict";
import test from "node:test";

import { decodeImage, greys, valuesAt } from "../../../../ui/browser/viewer/image.js";

const PLAIN = { padding: null, curve: "linear", aspect: 1 };

const grey = (width, height, values, bits = 8, how = PLAIN) => {
  const data = bits > 8 ? Uint16Array.from(values) : Uint8Array.from(values);
  return decodeImage(data.buffer, { width, height, channels: 1, bits, ...how });
};

test("bytes that are no image of this size are refused", () => {
  assert.throws(() => grey(2, 2, [1, 2, 3]), /3 pixel values, not 2 × 2 × 1/);
});

test("a small image has one level", () => {
  assert.equal(grey(512, 1, new Array(512)).levels.length, 1);
});

test("a large image is halved until it is small, odd sides rounded up", () => {
  const sizes = grey(1025, 3, new Array(3075)).levels.map(({ width, height }) => [width, height]);
  assert.deepEqual(sizes, [[1025, 3], [513, 2], [257, 1]]);
});

test("halving averages two by two, rounded, an odd last row or column with itself", () => {
  const values = new Array(513 * 3).fill(0);
  [values[0], values[1], values[513], values[514]] = [10, 20, 30, 43]; // mean 25.75
  values[2 * 513 + 512] = 9; // the last corner: four times itself
  const [, half] = grey(513, 3, values, 12).levels;
  assert.ok(half.data instanceof Uint16Array);
  assert.deepEqual([half.width, half.height, half.data[0], half.data[1]], [257, 2, 26, 0]);
  assert.equal(half.data.at(-1), 9);
});

test("halving keeps channels apart", () => {
  const data = new Uint8Array(513 * 3).fill(0);
  for (let x = 0; x < 513; x++) data[3 * x + 2] = 200;
  const image = decodeImage(data.buffer, { width: 513, height: 1, channels: 3, bits: 8, ...PLAIN });
  assert.deepEqual([...image.levels[1].data.subarray(0, 6)], [0, 0, 200, 0, 0, 200]);
});

test("raw values are read at a point, one a channel, and not outside", () => {
  const image = decodeImage(Uint8Array.of(1, 2, 3, 4, 5, 6).buffer, { width: 2, height: 1, channels: 3, bits: 8, ...PLAIN });
  assert.deepEqual(valuesAt(image, { x: 1.9, y: 0.5 }), [4, 5, 6]);
  assert.equal(valuesAt(image, { x: 2, y: 0 }), null);
  assert.equal(valuesAt(image, { x: 0, y: -0.1 }), null);
});

test("a window goes from black to white, and what is outside is one or the other", () => {
  const table = greys({ ...PLAIN, bits: 12 }, { low: 100, high: 300 }, false);
  assert.deepEqual([0, 100, 150, 300, 4095].map((value) => table[value]), [0, 0, 64, 255, 255]);
  assert.equal(table.length, 65536);
});

test("inversion turns every grey around", () => {
  const [plain, inverted] = [false, true].map((on) => greys({ ...PLAIN, bits: 8 }, { low: 20, high: 90 }, on));
  assert.equal(plain.length, 256);
  assert.ok(plain.every((value, i) => value + inverted[i] === 255));
});

test("a window without width is a step, not a fault", () => {
  const table = greys({ ...PLAIN, bits: 8 }, { low: 50, high: 50 }, false);
  assert.deepEqual([table[50], table[51]], [0, 255]);
});

test("padding is black under every window, inverted or not", () => {
  const image = { ...PLAIN, bits: 8, padding: [200, 201] };
  for (const inverted of [false, true]) {
    const table = greys(image, { low: 0, high: 1 }, inverted);
    assert.deepEqual([table[200], table[201]], [0, 0]);
    assert.equal(table[199], inverted ? 0 : 255);
  }
});

test("halving leaves padding padding", () => {
  const values = new Array(513).fill(100);
  values[0] = 255;
  const { levels } = grey(513, 1, values, 8, { ...PLAIN, padding: [255, 255] });
  assert.deepEqual([...levels[1].data.subarray(0, 2)], [255, 100]);
});

test("a sigmoid window is half at its centre and never quite black", () => {
  const table = greys({ ...PLAIN, bits: 8, curve: "sigmoid" }, { low: 100, high: 200 }, false);
  const wanted = (value) => Math.round(255 / (1 + Math.exp((-4 * (value - 150)) / 100)));
  for (const value of [0, 100, 150, 200, 255]) assert.equal(table[value], wanted(value));
});
