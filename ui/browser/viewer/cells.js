/** Maps on a common grid of cells, cut and scaled as `xai_core.trust` and `xai_core.measures` do. */

const N_CELLS = 16;

/**
 * Cells a side for maps that are compared: fewer where one of them is smaller.
 *
 * @param {Size[]} maps
 */
export function sideOf(...maps) {
  return Math.min(N_CELLS, ...maps.flatMap(({ width, height }) => [width, height]));
}

/**
 * The cell, from 0, of each of `length` pixels along a side.
 *
 * @param {number} length
 * @param {number} side
 */
export function cellOf(length, side) {
  const cells = new Uint8Array(length);
  for (let cell = 1; cell < side; cell++) cells.fill(cell, Math.floor((cell * length) / side));
  return cells;
}

/**
 * The means of a map in side × side cells of nearly equal size, row by row.
 *
 * @param {Size & { values: Float32Array }} map
 * @param {number} side
 */
export function cellMeans({ width, height, values }, side) {
  const [rows, columns] = [cellOf(height, side), cellOf(width, side)];
  const [sums, counts] = [new Float64Array(side * side), new Uint32Array(side * side)];
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      const cell = rows[y] * side + columns[x];
      sums[cell] += values[i];
      counts[cell] += 1;
    }
  }
  return sums.map((sum, cell) => sum / counts[cell]);
}

/**
 * Cells as shares of the largest |cell|; zero stays zero.
 *
 * @param {Float64Array} cells
 */
export function scaled(cells) {
  const limit = Math.max(...cells.map(Math.abs));
  return limit > 0 ? cells.map((value) => value / limit) : cells;
}
