/** The reader's keys: which there are, and when they are heard. */

import { h } from "./dom.js";

const HOLD_MS = 300;
const CAPTURE = { capture: true }; // before a field or a button gets the key

/** What the help overlay lists. */
/** @type {[title: string, keys: [key: string, words: string][]][]} */
const HELP = [
  ["Verdict", [
    ["A", "Accept"], ["M", "Accept with modification"], ["R", "Reject"], ["U", "Cannot assess"],
    ["1 – 9", "Reasons"], ["L", "Corrected class"], ["T", "Comment"],
    ["G  O", "Is the left or the right map plausible?"],
    ["Enter", "Sign (Ctrl Enter in a field)"], ["Ctrl Z", "Undo, until the next verdict"],
  ]],
  ["Cases", [["J", "Next case, without a verdict"], ["K", "Previous case"], ["Esc", "Leave a field or a badge"]]],
  ["Image", [
    ["Wheel", "Zoom at the pointer"], ["Drag", "Move"],
    ["Right or Shift drag", "Window: right is wider, down is darker"],
    ["Double click, Z", "Fit, and the first window again"], ["I", "Invert"], ["F", "One pane alone"],
    ["B", "Draw a box"],
  ]],
  ["Heatmap", [
    ["H", "Show or hide; hold to flicker"], ["D", "Where the two maps disagree"],
    ["[  ]", "Opacity"], [",  .", "Hide weak values"],
  ]],
];

export class Keys {
  #commands;
  /** @type {number | null} */
  #heldSince = null;
  #isMeant;

  /**
   * @param {Record<string, Command>} commands what is done by key, as "a", "Enter" or "Ctrl+z"; a release is
   *   done when its key is let go after having been held
   * @param {(event: KeyboardEvent) => boolean} isMeant whether a key is for the reader at all; not asked of
   *   what is typed into a field
   */
  constructor(commands, isMeant) {
    this.#commands = commands;
    this.#isMeant = isMeant;
    window.addEventListener("keydown", this.#down, CAPTURE);
    window.addEventListener("keyup", this.#up, CAPTURE);
  }

  stop() {
    window.removeEventListener("keydown", this.#down, CAPTURE);
    window.removeEventListener("keyup", this.#up, CAPTURE);
  }

  /** @param {KeyboardEvent} event */
  #down = (event) => {
    const command = this.#commands[nameOf(event)];
    if (!command || !isHeard(event) || !this.#isMeant(event)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (event.repeat && !command.repeats) return;
    if (command.release) this.#heldSince = performance.now();
    command.run();
  };

  /** @param {KeyboardEvent} event */
  #up = (event) => {
    const command = this.#commands[nameOf(event)];
    if (!command?.release || this.#heldSince === null) return;
    if (performance.now() - this.#heldSince > HOLD_MS) command.release();
    this.#heldSince = null;
  };
}

/** The overlay that lists the keys. */
export function helpDialog() {
  const close = h("button", { type: "button", onclick: () => dialog.close() }, "Close");
  const groups = HELP.map(([title, keys]) => h("section", {}, h("h3", {}, title),
    h("dl", {}, keys.map(([key, words]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, words)]))));
  const dialog = h("dialog", { "aria-label": "Keys" },
    h("header", {}, h("h2", {}, "Keys"), close), h("div", { class: "keys" }, groups));
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  return dialog;
}

/** @param {KeyboardEvent} event */
function nameOf(event) {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  return (event.ctrlKey || event.metaKey) ? `Ctrl+${key}` : key;
}

/**
 * Keys are not heard while somebody types, and Enter stays with the button that has the focus.
 *
 * @param {KeyboardEvent} event
 */
function isHeard(event) {
  const target = /** @type {Element} */ (event.composedPath()[0]);
  if (event.altKey) return false;
  if (target.matches?.("select")) return nameOf(event) === "Ctrl+Enter";
  const typing = target.matches?.("input:not([type=range]), textarea, [contenteditable]");
  if (typing) return ["Ctrl+Enter", "Escape"].includes(nameOf(event));
  const presses = target.matches?.("button:not([role=radio], .chip), a, summary");
  return !(presses && event.key === "Enter");
}
