import assert from "node:assert/strict";
import test from "node:test";

import { drawnCells } from "../../../../ui/browser/viewer/agreement.js";

test("cells fill the pixels from where they begin to where the next one does", () => {
  const { width, height, values } = drawnCells({
    width: 5, height: 3, rows: [0, 2], columns: [0, 2], cells: [[1, -1], [0.5, 0]],
  });
  assert.deepEqual([width, height], [5, 3]);
  assert.deepEqual([...values], [1, 1, -1, -1, -1, 1, 1, -1, -1, -1, 0.5, 0.5, 0, 0, 0]);
});

test("the colours of every pair end at the same value, so that cases compare", () => {
  const quiet = drawnCells({ width: 1, height: 1, rows: [0], columns: [0], cells: [[0.01]] });
  assert.equal(quiet.limit, 0.5);
});
