import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { Keys } from "../../../../ui/browser/viewer/keys.js";

const PAGE = { matches: () => false };
const PARTS = (selector) => selector.split(/, (?![^(]*\))/);
const TEXT = { matches: (selector) => PARTS(selector).includes("textarea") };
const SELECT = { matches: (selector) => PARTS(selector).includes("select") };
const BUTTON = { matches: (selector) => PARTS(selector).some((part) => part.startsWith("button")) };

class KeyEvent extends Event {
  constructor(kind, key, { target = PAGE, ...details }) {
    super(kind, { cancelable: true });
    Object.assign(this, { key, ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, repeat: false, ...details });
    this.composedPath = () => [target];
  }
}

let done;
let keys;
let heard;
let waited;
let signKey;

beforeEach(() => {
  globalThis.window = new EventTarget();
  done = [];
  heard = true;
  waited = null;
  signKey = null;
  const command = (name) => ({ run: () => done.push(name) });
  keys = new Keys({
    a: command("accept"), Enter: command("sign"), "Ctrl+Enter": command("sign"),
    "Ctrl+z": command("undo"), Escape: command("leave"), "]": { ...command("more"), repeats: true },
    h: { run: () => done.push("flip"), release: () => done.push("flip back") },
  }, {
    isMeant: () => heard,
    takes: (key, shift) => {
      const taken = key === waited;
      if (taken) done.push(`${shift ? "shift " : ""}${key} taken`);
      return taken;
    },
    signKey: (key) => { signKey = key; },
  });
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

test("Enter stays with the button that has the focus, letters and Ctrl+Enter do not", () => {
  press("Enter", { target: BUTTON });
  press("a", { target: BUTTON });
  press("Enter", { target: BUTTON, ctrlKey: true });
  assert.deepEqual(done, ["accept", "sign"]);
});

test("a key that was waited for does nothing else, and one that repeats itself was not waited for", () => {
  waited = "a";
  assert.ok(press("a", { shiftKey: true }).defaultPrevented);
  press("a", { repeat: true });
  assert.deepEqual(done, ["shift a taken"]);
});

function move(kind, target, details = {}) {
  const event = Object.assign(new Event(kind), details);
  event.composedPath = () => [target];
  globalThis.window.dispatchEvent(event);
}

const SIGN = { matches: (selector) => selector === ".sign" };

for (const [name, target, key] of [
  ["a text field", TEXT, "Ctrl Enter"], ["a list", SELECT, "Ctrl Enter"], ["another button", BUTTON, "Ctrl Enter"],
  ["the button that signs", SIGN, "Enter"], ["a picture", PAGE, "Enter"],
]) {
  test(`with the focus in ${name}, ${key} signs`, () => {
    move("focusin", target);
    assert.equal(signKey, key);
  });
}

test("no key signs with the focus where none is heard; with it nowhere, Enter does", () => {
  heard = false;
  move("focusin", TEXT);
  assert.equal(signKey, "");
  move("focusout", TEXT, { relatedTarget: PAGE });
  assert.equal(signKey, "");
  move("focusout", TEXT, { relatedTarget: null });
  assert.equal(signKey, "Enter");
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
