// @ts-nocheck
/**
 * How far two maps say the same, and where they do not. The rules are those of `xai_core.trust`,
 * `xai_core.measures.similarity`, `.chance` and `.disagreement`, so that the screen and what is stored with a
 * map agree; here they are taken of whichever two maps are on screen.
 */

import { cellMeans, cellOf, scaled, sideOf } from "./cells.js";

const TOP_SHARE = 0.1;
const SHIFTS = 4; // along each axis
const SSIM_WINDOW = 7; // cells
const SSIM_FLOORS = [0.01 ** 2, 0.03 ** 2]; // Wang et al. 2004, for values in [0, 1]
const LIMIT = 0.5; // one map speaks fully and the other is silent

/**
 * How far map `a` says more than map `b` at each pixel of `a`, in [-1, 1], as a map to draw. Its
 * values are computed when they are first asked for.
 *
 * @param a what decodeMap returned, without a problem
 * @param b the same, of any size
 */
export function disagreement(a, b) {
  let values = null;
  return {
    width: a.width, height: a.height, limit: LIMIT,
    get values() { return (values ??= halfDifference(a, b)); },
  };
}

function halfDifference(a, b) {
  const side = sideOf(a, b);
  const [first, second] = [a, b].map((map) => scaled(cellMeans(map, side)));
  const [rows, columns] = [cellOf(a.height, side), cellOf(a.width, side)];
  const values = new Float32Array(a.width * a.height);
  for (let y = 0, i = 0; y < a.height; y++) {
    for (let x = 0; x < a.width; x++, i++) {
      const cell = rows[y] * side + columns[x];
      values[i] = (first[cell] - second[cell]) / 2;
    }
  }
  return values;
}

/**
 * The agreement of two maps: { spearman, topIou, sign, ssim, byChance }; what cannot be measured is
 * null. `byChance` is what the same maps reach on average when one is shifted over the other.
 */
export function agreement(a, b) {
  const side = sideOf(a, b);
  const [first, second] = [a, b].map((map) => cellMeans(map, side));
  const shifted = shifts(first, side).map((cells) => agreementOf(cells, second, side));
  const mean = (name) => shifted.reduce((sum, found) => sum + found[name], 0) / shifted.length;
  const found = agreementOf(first, second, side);
  return {
    ...found,
    byChance: Object.fromEntries(Object.entries(found).map(([name, value]) =>
      [name, name === "ssim" && value === null ? null : mean(name)])),
  };
}

function agreementOf(first, second, side) {
  return {
    spearman: correlation(ranks(first), ranks(second)),
    topIou: topIou(first, second, Math.max(1, Math.round(TOP_SHARE * first.length))),
    sign: signAgreement(first, second),
    ssim: side < SSIM_WINDOW ? null : ssim(unit(first), unit(second), side),
  };
}

/** The cells shifted by quarters of their sides, what leaves one end coming in at the other. */
function shifts(cells, side) {
  const steps = Array.from({ length: SHIFTS }, (_, number) => Math.floor((number * side) / SHIFTS));
  const wrapped = (place) => ((place % side) + side) % side;
  return steps.flatMap((down) => steps.map((right) => [down, right]))
    .filter(([down, right]) => down || right)
    .map(([down, right]) => cells.map((_, cell) =>
      cells[side * wrapped(Math.floor(cell / side) - down) + wrapped((cell % side) - right)]));
}

/** Ranks from 1; equal values share the mean of their ranks. */
function ranks(values) {
  const order = ordered(values, (i, j) => values[i] - values[j]);
  const found = new Float64Array(values.length);
  for (let from = 0, to; from < order.length; from = to) {
    for (to = from + 1; to < order.length && values[order[to]] === values[order[from]];) to += 1;
    for (let at = from; at < to; at++) found[order[at]] = (from + 1 + to) / 2;
  }
  return found;
}

function correlation(a, b) {
  const { varianceA, varianceB, covariance } = moments(a, b);
  const spread = Math.sqrt(varianceA * varianceB);
  return spread > 0 ? covariance / spread : null;
}

function topIou(a, b, nTop) {
  const [topA, topB] = [a, b].map((cells) =>
    new Set(ordered(cells, (i, j) => cells[j] - cells[i]).slice(0, nTop)));
  const shared = [...topA].filter((cell) => topB.has(cell)).length;
  return shared / (2 * nTop - shared);
}

/** The share of the joint weight |a| |b| in cells of the same sign. */
function signAgreement(a, b) {
  let [same, all] = [0, 0];
  a.forEach((value, cell) => {
    const weight = Math.abs(value * b[cell]);
    all += weight;
    if (Math.sign(value) === Math.sign(b[cell])) same += weight;
  });
  return all > 0 ? same / all : 0;
}

/** Cells moved to [0, 1], zero to the middle: a map and its negative must differ in structure. */
function unit(cells) {
  return scaled(cells).map((value) => (value + 1) / 2);
}

/** The mean structural similarity over all windows of cells. */
function ssim(a, b, side) {
  const [luminance, contrast] = SSIM_FLOORS;
  const n = SSIM_WINDOW ** 2;
  const sample = n / (n - 1);
  let [sum, count] = [0, 0];
  for (let top = 0; top + SSIM_WINDOW <= side; top++) {
    for (let left = 0; left + SSIM_WINDOW <= side; left++, count++) {
      const { meanA, meanB, varianceA, varianceB, covariance } =
        moments(...[a, b].map((cells) => windowOf(cells, side, left, top)));
      sum += ((2 * meanA * meanB + luminance) * (2 * sample * covariance + contrast))
        / ((meanA ** 2 + meanB ** 2 + luminance) * (sample * (varianceA + varianceB) + contrast));
    }
  }
  return sum / count;
}

function windowOf(cells, side, left, top) {
  const found = [];
  for (let y = top; y < top + SSIM_WINDOW; y++) {
    for (let x = left; x < left + SSIM_WINDOW; x++) found.push(cells[y * side + x]);
  }
  return found;
}

function moments(a, b) {
  const [meanA, meanB] = [a, b].map((values) => values.reduce((sum, v) => sum + v, 0) / values.length);
  let [varianceA, varianceB, covariance] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    const [fromA, fromB] = [a[i] - meanA, b[i] - meanB];
    varianceA += fromA ** 2 / a.length;
    varianceB += fromB ** 2 / a.length;
    covariance += (fromA * fromB) / a.length;
  }
  return { meanA, meanB, varianceA, varianceB, covariance };
}

function ordered(values, compare) {
  return Array.from(values.keys()).sort(compare);
}
