/** The reader's keys: which there are, and when they are heard. */

import { h } from "./dom.js";

const HOLD_MS = 300;

/** What the help overlay lists. */
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
  #heldSince = null;
  #listening;

  /**
   * @param commands functions by key, as "a", "Enter" or "Ctrl+z"; one that takes a release is
   *   called again, with true, when its key is let go after having been held
   * @param isOpen whether the keys are to be heard at all
   */
  constructor(commands, isOpen) {
    this.#commands = commands;
    this.#listening = isOpen;
    window.addEventListener("keydown", this.#down, true);
    window.addEventListener("keyup", this.#up, true);
  }

  stop() {
    window.removeEventListener("keydown", this.#down, true);
    window.removeEventListener("keyup", this.#up, true);
  }

  #down = (event) => {
    const command = this.#commands[nameOf(event)];
    if (!command || !this.#listening() || !isHeard(event)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (event.repeat && !command.repeats) return;
    if (command.release) this.#heldSince = performance.now();
    (command.run ?? command)(event);
  };

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
    h("dl", {}, keys.map(([key, words]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, words)]).flat())));
  const dialog = h("dialog", { "aria-label": "Keys" },
    h("header", {}, h("h2", {}, "Keys"), close), h("div", { class: "keys" }, groups));
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  return dialog;
}

function nameOf(event) {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  return (event.ctrlKey || event.metaKey) ? `Ctrl+${key}` : key;
}

/** Keys are not heard while somebody types, and Enter stays with the button that has the focus. */
function isHeard(event) {
  const target = event.composedPath()[0];
  if (event.altKey) return false;
  if (target.matches?.("select")) return nameOf(event) === "Ctrl+Enter";
  const typing = target.matches?.("input:not([type=range]), textarea, [contenteditable]");
  if (typing) return ["Ctrl+Enter", "Escape"].includes(nameOf(event));
  const presses = target.matches?.("button:not([role=radio], .chip), a, summary");
  return !(presses && event.key === "Enter");
}
