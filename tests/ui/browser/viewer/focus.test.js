import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { FocusKeeper, isMeant, leaveLink } from "../../../../ui/browser/viewer/focus.js";

/** An element that contains others; it may be modal, or inert. */
class Element extends EventTarget {
  focused = 0;

  constructor({ inside = [], modal = false, kind = "" } = {}) {
    super();
    Object.assign(this, { inside, modal, kind });
  }

  contains(other) {
    return other === this || this.inside.some((element) => element.contains(other));
  }

  closest(selector) {
    return (selector === "[inert]" ? this.inert : this.modal) ? this : null;
  }

  matches(selector) {
    return selector.split(", ").includes(this.kind);
  }

  focus() {
    this.focused += 1;
  }

  blur() {
    globalThis.document.activeElement = globalThis.document.body;
  }
}

const LINK = new Element({ kind: "a" });

let page;
let root;
let host;
let mutate;

beforeEach(() => {
  host = new Element();
  root = new Element();
  root.getRootNode = () => ({ host });
  root.querySelector = () => page.help;
  page = { line: "CONNECTED", modal: null, help: null };
  const body = new Element({ inside: [new Element({ inside: [host] }), LINK] });
  globalThis.document = {
    body, activeElement: body, hasFocus: () => true,
    querySelector: (selector) => (selector.includes("connection")
      ? page.line && { getAttribute: () => page.line } : page.modal),
  };
  mutate = () => {};
  globalThis.MutationObserver = class {
    constructor(told) {
      this.told = told;
    }

    observe() {
      mutate = this.told;
    }

    disconnect() {
      mutate = () => {};
    }
  };
});

afterEach(() => {
  delete globalThis.document;
  delete globalThis.MutationObserver;
});

const isHeard = (...path) => isMeant({ composedPath: () => path }, root);

test("a key is meant for the reader with the focus in it, or nowhere", () => {
  assert.ok(isHeard(new Element(), root, host));
  assert.ok(isHeard(globalThis.document.body));
});

test("a key is not meant for the reader with the focus in something beside it", () => {
  assert.ok(!isHeard(LINK, globalThis.document.body));
});

test("no key is meant for the reader while something modal is open, wherever the focus is", () => {
  page.modal = new Element({ modal: true });
  assert.ok(!isHeard(new Element(), root, host));
  assert.ok(!isHeard(globalThis.document.body));
});

test("no key is meant for the reader while the help is open", () => {
  page.help = new Element({ modal: true });
  assert.ok(!isHeard(globalThis.document.body));
});

for (const state of ["PINGING_SERVER", "CONNECTING", "DISCONNECTED_FOREVER", "INITIAL"]) {
  test(`no key is meant for the reader while the line is ${state}`, () => {
    page.line = state;
    assert.ok(!isHeard(new Element(), root, host));
  });
}

test("a field is left without a line too", () => {
  page.line = "PINGING_SERVER";
  const leaves = { key: "Escape", composedPath: () => [new Element(), root, host] };
  assert.ok(isMeant(leaves, root));
  page.modal = new Element({ modal: true });
  assert.ok(!isMeant(leaves, root));
});

test("a page that says nothing of its line is taken to have one", () => {
  page.line = null;
  assert.ok(isHeard(globalThis.document.body));
});

test("the link that led here is let go of, a field is not", () => {
  const field = new Element({ kind: "input" });
  for (const [active, after] of [[LINK, globalThis.document.body], [field, field]]) {
    globalThis.document.activeElement = active;
    leaveLink(root);
    assert.equal(globalThis.document.activeElement, after);
  }
});

/** A field in the reader that the focus leaves for another element. */
function leave(relatedTarget) {
  const field = new Element();
  const event = Object.assign(new Event("focusout"), { relatedTarget });
  Object.defineProperty(event, "target", { value: field });
  root.dispatchEvent(event);
  return field;
}

function open() {
  page.modal = new Element({ modal: true });
  mutate();
  return page.modal;
}

function close() {
  page.modal = null;
  mutate();
}

test("the focus goes back to its field when what took it is gone, and not before", () => {
  new FocusKeeper(root, () => 7);
  const field = leave(open());
  mutate();
  assert.equal(field.focused, 0);
  close();
  assert.equal(field.focused, 1);
});

test("the focus goes back only when the page can take it again", () => {
  new FocusKeeper(root, () => 7);
  const field = leave(open());
  host.inert = true;
  close();
  assert.equal(field.focused, 0);
  host.inert = false;
  mutate();
  assert.equal(field.focused, 1);
});

test("the focus goes back when something modal came and went while another window had it", () => {
  new FocusKeeper(root, () => 7);
  globalThis.document.hasFocus = () => false;
  const field = leave(null);
  mutate();
  assert.equal(field.focused, 0);
  open();
  close();
  assert.equal(field.focused, 1);
});

test("a field that the reader left does not get the focus back", () => {
  new FocusKeeper(root, () => 7);
  const field = leave(LINK);
  open();
  close();
  assert.equal(field.focused, 0);
});

test("the focus stays where the reader has put it since", () => {
  new FocusKeeper(root, () => 7);
  const field = leave(open());
  globalThis.document.activeElement = LINK;
  close();
  assert.equal(field.focused, 0);
});

test("what is typed after another case came is not for the field of the last", () => {
  let onScreen = 7;
  new FocusKeeper(root, () => onScreen);
  const field = leave(open());
  onScreen = 8;
  close();
  assert.equal(field.focused, 0);
});

test("after its end the focus is left alone", () => {
  const keeper = new FocusKeeper(root, () => 7);
  const field = leave(open());
  keeper.stop();
  close();
  assert.equal(field.focused, 0);
});
