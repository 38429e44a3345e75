import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Recent } from "../../../../ui/browser/viewer/recent.js";

let loaded;
let recent;

beforeEach(() => {
  loaded = [];
  recent = new Recent(2, async (key, details) => {
    loaded.push(key);
    if (details.fails) throw new Error(key);
    return `${key}:${details.shape}`;
  });
});

test("a thing is loaded once, with its details", async () => {
  assert.equal(await recent.get("a", { shape: 3 }), "a:3");
  assert.equal(await recent.get("a", { shape: 3 }), "a:3");
  assert.deepEqual(loaded, ["a"]);
});

test("two who ask while it loads wait for the same", () => {
  assert.equal(recent.get("a", {}), recent.get("a", {}));
});

test("the one not asked for longest goes first", () => {
  for (const key of ["a", "b", "a", "c", "a", "b"]) recent.get(key, {});
  assert.deepEqual(loaded, ["a", "b", "c", "b"]);
});

test("what failed is tried again", async () => {
  await assert.rejects(recent.get("a", { fails: true }), /a/);
  assert.equal(await recent.get("a", { shape: 1 }), "a:1");
});
