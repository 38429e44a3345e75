import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { commandsOf } from "../../../../ui/browser/viewer/commands.js";

let done;
let isOpen;
let focused;
let rows;
let commands;

/** Notes every call of its methods as "part.method argument". */
function part(name) {
  return new Proxy({}, {
    get: (_, method) => (...args) => done.push([`${name}.${method}`, ...args].join(" ")),
  });
}

beforeEach(() => {
  done = [];
  isOpen = true;
  focused = null;
  rows = { set lettered(on) { done.push(`rows.lettered ${on}`); } };
  commands = commandsOf({
    form: new Proxy(part("form"), {
      get: (form, name) => ({ picker: { input: part("label") }, comment: part("comment"), rows })[name] ?? form[name],
    }),
    tools: part("tools"), heat: part("heat"), help: part("help"),
    mapPanes: [part("left"), part("right")],
    root: { getRootNode: () => ({ activeElement: focused }), querySelectorAll: () => [] },
  }, { heat: true, compared: false }, {
    step: (neighbour) => done.push(`step ${neighbour}`), sign: () => done.push("sign"),
    undo: () => done.push("undo"), isOpen: () => isOpen,
  });
});

const WITH_A_CASE = {
  a: "form.choose accept", m: "form.choose modify", r: "form.choose reject",
  u: "form.choose cannot_assess", 1: "form.toggleReason 1", 9: "form.toggleReason 9",
  s: "form.judge sound", x: "form.judge unsound", q: "form.judge unsure", e: "rows.lettered true",
  l: "label.focus", t: "comment.focus", g: "left.cycle", o: "right.cycle",
  i: "tools.invert", z: "tools.fit", b: "tools.toggleBox", f: "tools.solo",
};
const ALWAYS = {
  Enter: "sign", "Ctrl+Enter": "sign", "Ctrl+z": "undo", j: "step next_id", k: "step previous_id",
  h: "heat.setHeat false", d: "heat.setCompared true",
  "[": "heat.nudge opacity -1", "]": "heat.nudge opacity 1",
  ",": "heat.nudge threshold -1", ".": "heat.nudge threshold 1", "?": "help.showModal",
};

test("there are no other keys than these", () => {
  const known = [...Object.keys(WITH_A_CASE), ...Object.keys(ALWAYS), "Escape", ..."2345678"];
  assert.deepEqual(Object.keys(commands).sort(), known.sort());
});

for (const [key, does] of Object.entries({ ...WITH_A_CASE, ...ALWAYS })) {
  test(`${key} does ${does}`, () => {
    commands[key].run();
    assert.deepEqual(done, [does]);
  });
}

test("without a case, the keys for one do nothing", () => {
  isOpen = false;
  for (const key of Object.keys(WITH_A_CASE)) commands[key].run();
  assert.deepEqual(done, []);
});

test("H puts the heatmaps back when it is let go, and only sliders repeat", () => {
  commands.h.release();
  assert.deepEqual(done, ["heat.setHeat false"]);
  const repeating = Object.keys(commands).filter((key) => commands[key].repeats);
  assert.deepEqual(repeating.sort(), [",", ".", "[", "]"]);
});

test("Escape leaves a field, and elsewhere puts the box tool away", () => {
  focused = { matches: () => true, blur: () => done.push("blur") };
  commands.Escape.run();
  focused = null;
  commands.Escape.run();
  assert.deepEqual(done, ["blur", "tools.setTool pan"]);
});
