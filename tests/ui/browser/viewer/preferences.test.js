import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { keepPreferences, loadPreferences } from "../../../../ui/browser/viewer/preferences.js";
import { FakeStorage } from "./fakes.js";

beforeEach(() => { globalThis.localStorage = new FakeStorage(); });

test("at first the heatmaps are shown and not compared", () => {
  const { heat, compared } = loadPreferences();
  assert.deepEqual({ heat, compared }, { heat: true, compared: false });
});

test("preferences are kept, and nothing of the image with them", () => {
  const liked = { heat: false, compared: true, opacity: 0.3, threshold: 0.25 };
  keepPreferences({ ...liked, window: { low: 1, high: 2 }, inverted: true, tool: "box" });
  assert.deepEqual(loadPreferences(), liked);
});

test("what an earlier version did not keep is as at first", () => {
  const first = loadPreferences();
  localStorage.setItem("second-look/heatmaps", JSON.stringify({ opacity: 0.3 }));
  assert.deepEqual(loadPreferences(), { ...first, opacity: 0.3 });
});
