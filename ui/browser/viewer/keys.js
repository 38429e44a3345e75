/** The reader's keys: which there are, and when they are heard. */

import { h } from "./dom.js";

const HOLD_MS = 300;
const CAPTURE = { capture: true }; // before a field or a button gets the key
const [SIGN, SIGN_IN_FIELD] = ["Enter", "Ctrl+Enter"];
const LISTS = "select";
const FIELDS = "input:not([type=range]), textarea, [contenteditable]";
const PRESSED = "button:not([role=radio], .chip), a, summary"; // by Enter

/** What the help overlay lists. */
/** @type {[title: string, keys: [key: string, words: string][]][]} */
const HELP = [
  ["Answer: what the model says", [
    ["A", "Accept"], ["M", "Accept with modification"], ["R", "Reject"], ["U", "Cannot assess"],
    ["E, then a letter", "Change a finding; with Shift: indeterminate"],
    ["L", "Corrected class, or another finding"],
  ]],
  ["Reason: why it says so", [
    ["S  X  Q", "Sound, unsound, unsure"], ["G  O", "Is the left or the right map plausible?"],
  ]],
  ["Verdict", [
    ["1, 2, …", "What is wrong with answer or reason"], ["T", "Comment"],
    ["Enter", "Sign; in a field Ctrl Enter"], ["Ctrl Z", "Undo, until the next verdict"],
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

/**
 * @typedef {object} Listening
 * @property {(event: Event) => boolean} isMeant whether a key, or a move of the focus, is for the reader at all
 * @property {(key: string, shift: boolean) => boolean} takes whether something waited for this very key
 * @property {(key: string) => void} signKey told which key signs where the focus is; none where no key is heard
 */

export class Keys {
  #commands;
  #listening;
  /** @type {number | null} */
  #heldSince = null;

  /**
   * @param {Record<string, Command>} commands what is done by key, as "a", "Enter" or "Ctrl+z"; a release is
   *   done when its key is let go after having been held
   * @param {Listening} listening
   */
  constructor(commands, listening) {
    this.#commands = commands;
    this.#listening = listening;
    for (const [kind, heard] of this.#listeners) window.addEventListener(kind, heard, CAPTURE);
  }

  stop() {
    for (const [kind, heard] of this.#listeners) window.removeEventListener(kind, heard, CAPTURE);
  }

  /** @returns {[kind: string, heard: (event: any) => void][]} */
  get #listeners() {
    return [["keydown", this.#down], ["keyup", this.#up], ["focusin", this.#focus], ["focusout", this.#blur]];
  }

  /** @param {KeyboardEvent} event */
  #down = (event) => {
    if (!isHeard(event) || !this.#listening.isMeant(event)) return;
    const name = nameOf(event);
    const command = this.#commands[name];
    const taken = !event.repeat && this.#listening.takes(name, event.shiftKey);
    if (!taken && !command) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (taken || (event.repeat && !command.repeats)) return;
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

  /** @param {FocusEvent} event */
  #focus = (event) => {
    const focused = /** @type {Element} */ (event.composedPath()[0]);
    this.#listening.signKey(this.#listening.isMeant(event) ? signKeyAt(focused) : "");
  };

  /** @param {FocusEvent} event */
  #blur = ({ relatedTarget }) => {
    if (!relatedTarget) this.#listening.signKey(SIGN);
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
  const name = nameOf(event);
  if (event.altKey) return false;
  if (target.matches?.(LISTS)) return name === SIGN_IN_FIELD;
  if (target.matches?.(FIELDS)) return [SIGN_IN_FIELD, "Escape"].includes(name);
  return !(target.matches?.(PRESSED) && name === SIGN);
}

/**
 * Which key signs while an element has the focus, as the button says it.
 *
 * @param {Element} focused
 */
function signKeyAt(focused) {
  if (focused.matches(".sign")) return SIGN; // it presses itself
  return focused.matches([LISTS, FIELDS, PRESSED].join(", ")) ? SIGN_IN_FIELD.replace("+", " ") : SIGN;
}
