/** What the server found of two maps: how far they agree, and the picture of where they do not. */

const LIMIT = 0.5; // one map speaks fully and the other is silent

/**
 * The disagreement of two maps, in [-1, 1], as a map to draw.
 *
 * @param {Cells} picture
 * @returns {DrawableMap}
 */
export function drawnCells({ width, height, rows, columns, cells }) {
  const values = new Float32Array(width * height);
  rows.forEach((top, row) => {
    const line = new Float32Array(width);
    columns.forEach((left, column) => line.fill(cells[row][column], left));
    for (let y = top; y < (rows[row + 1] ?? height); y++) values.set(line, y * width);
  });
  return { width, height, values, limit: LIMIT };
}
