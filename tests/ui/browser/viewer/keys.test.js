import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { Keys } from "../../../../ui/browser/viewer/keys.js";

const PAGE = { matches: () => false };
const TEXT = { matches: (selector) => selector.includes("textarea") };
const SELECT = { matches: (selector) => selector === "select" };
const BUTTON = { matches: (selector) => selector.startsWith("button") };

class KeyEvent extends Event {
  constructor(kind, key, { target = PAGE, ...details }) {
    super(kind, { cancelable: true });
    Object.assign(this, { key, ctrlKey: false, metaKey: false, altKey: false, repeat: false, ...details });
    this.composedPath = () => [target];
  }
}

let done;
let keys;
let heard;

beforeEach(() => {
  globalThis.window = new EventTarget();
  done = [];
  heard = true;
  const command = (name) => ({ run: () => done.push(name) });
  keys = new Keys({
    a: command("accept"), Enter: command("sign"), "Ctrl+Enter": command("sign"),
    "Ctrl+z": command("undo"), Escape: command("leave"), "]": { ...command("more"), repeats: true },
    h: { run: () => done.push("flip"), release: () => done.push("flip back") },
  }, () => heard);
});

afterEach(() => {
  keys.stop();
  delete globalThis.window;
});

function press(key, details = {}) {
  const event = new KeyEvent("keydown", key, details);
  globalThis.window.dispatchEvent(event);
  return event;
}

test("a key does its command, in either case, and the page does nothing with it", () => {
  assert.ok(press("a").defaultPrevented);
  press("A");
  assert.deepEqual(done, ["accept", "accept"]);
});

test("a key without a command is left to the page", () => {
  assert.ok(!press("q").defaultPrevented);
});

test("Ctrl and the key of a Mac are one, and make another key", () => {
  press("z");
  press("z", { ctrlKey: true });
  press("Z", { metaKey: true });
  assert.deepEqual(done, ["undo", "undo"]);
});

test("nothing is heard with Alt, nor what is not meant for the reader", () => {
  press("a", { altKey: true });
  heard = false;
  press("a");
  assert.deepEqual(done, []);
});

test("in a text field only signing and leaving it are heard", () => {
  for (const key of ["a", "Enter", "Escape"]) press(key, { target: TEXT });
  press("Enter", { target: TEXT, ctrlKey: true });
  assert.deepEqual(done, ["leave", "sign"]);
});

test("in a list only signing with Ctrl is heard", () => {
  for (const key of ["a", "Enter", "Escape"]) press(key, { target: SELECT });
  press("Enter", { target: SELECT, ctrlKey: true });
  assert.deepEqual(done, ["sign"]);
});

test("Enter stays with the button that has the focus, letters do not", () => {
  press("Enter", { target: BUTTON });
  press("a", { target: BUTTON });
  assert.deepEqual(done, ["accept"]);
});

test("a key that is held repeats only where that makes sense", () => {
  press("a", { repeat: true });
  press("]", { repeat: true });
  assert.deepEqual(done, ["more"]);
});

for (const [ms, does] of [[200, ["flip"]], [301, ["flip", "flip back"]]]) {
  test(`a key let go after ${ms} ms does ${does.join(", then ")}`, (t) => {
    let now = 0;
    t.mock.method(performance, "now", () => now);
    press("h");
    now = ms;
    globalThis.window.dispatchEvent(new KeyEvent("keyup", "h", {}));
    assert.deepEqual(done, does);
  });
}

test("after its end nothing is heard", () => {
  keys.stop();
  press("a");
  assert.deepEqual(done, []);
});
