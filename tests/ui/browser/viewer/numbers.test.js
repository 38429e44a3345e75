import assert from "node:assert/strict";
import test from "node:test";

import { number, percent, share, signed, wait } from "../../../../ui/browser/viewer/numbers.js";

test("a number has four significant digits at most, and no more than it needs", () => {
  assert.equal(number(3.14159), "3.142");
  assert.equal(number(0.5), "0.5");
  assert.equal(number(0), "0");
});

test("a large number is whole", () => {
  assert.equal(number(12345.6), "12346");
});

test("a very small number has a power of ten", () => {
  assert.equal(number(0.0000123456), "1.235 × 10⁻⁵");
  assert.equal(number(-2e-12), "−2 × 10⁻¹²");
});

test("minus is a minus sign, not a hyphen", () => {
  assert.equal(number(-0.25), "−0.25");
  assert.equal(signed(-1.239), "−1.24");
});

test("a signed number says plus, but zero says nothing", () => {
  assert.equal(signed(1.239), "+1.24");
  assert.equal(signed(0), "0");
});

test("a share is in whole percent with its sign, and never minus zero", () => {
  assert.equal(share(0.256), "+26 %");
  assert.equal(share(-0.256), "−26 %");
  assert.equal(share(-0.001), "0 %");
});

test("a percentage below ten has a decimal", () => {
  assert.equal(percent(0.0951), "9.5 %");
  assert.equal(percent(0.951), "95 %");
  assert.equal(percent(0), "0 %");
});

test("a wait is in seconds, at least one, then in minutes", () => {
  assert.deepEqual([0.2, 59, 60, 200].map(wait), ["1 s", "59 s", "1 min", "3 min"]);
});
