import assert from "node:assert/strict";
import test from "node:test";

import { awaiting, explain, identity, methodsWith } from "../../../../ui/browser/viewer/case.js";
import { aCase, madeMap } from "./fakes.js";

const RECIPE = { preset: "standard", baseline: "blur", stepping: "fixed" };
const SITE = { families: [{ name: "Gradients", methods: [{ key: "shap", name: "GradientSHAP", question: "?" }] }] };

test("a case is the same while its maps, model, class and evidence are", () => {
  assert.equal(identity(aCase()), identity(aCase({ notes: ["other"] })));
  assert.equal(identity(null), null);
  for (const change of [{ id: 8 }, { model_id: 4 }, { target: 1 }, { token: "u" }, { pending: true },
    { maps: [madeMap("ig", { id: 9 }), madeMap("occlusion", { id: 2 })] }]) {
    assert.notEqual(identity(aCase(change)), identity(aCase()), JSON.stringify(change));
  }
});

test("a case's own maps are asked for, as they were made", () => {
  assert.deepEqual(explain(aCase({ recipe: RECIPE })),
    { kind: "explain", case_id: 7, model_id: 3, target: 0, methods: ["ig", "occlusion"], ...RECIPE });
});

test("another method takes a place", () => {
  assert.deepEqual(methodsWith(aCase(), 1, "shap"), ["ig", "shap"]);
});

test("a method shown elsewhere changes places", () => {
  assert.deepEqual(methodsWith(aCase(), 0, "occlusion"), ["occlusion", "ig"]);
});

test("maps that stay are shown while another is awaited, under its name", () => {
  const opened = aCase({ recipe: RECIPE });
  const { pending, maps } = awaiting(opened, explain(opened, ["shap", "occlusion"]), SITE);
  assert.equal(pending, true);
  assert.equal(maps[1], opened.maps[1]);
  const { id, url, picture, name } = maps[0];
  assert.deepEqual({ id, url, picture, name }, { id: null, url: null, picture: null, name: "GradientSHAP" });
});

test("maps of another class or recipe are not shown while they are awaited", () => {
  const opened = aCase({ recipe: RECIPE });
  for (const change of [{ target: 1 }, { preset: "thorough" }, { baseline: "black" }, { stepping: "adaptive" }]) {
    const { maps } = awaiting(opened, { ...explain(opened), ...change }, SITE);
    assert.deepEqual(maps.map((map) => map.id), [null, null], JSON.stringify(change));
  }
});
