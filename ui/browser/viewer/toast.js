/** One line about what was just done, with a way back. */

import { h } from "./dom.js";

export class Toast {
  constructor() {
    this.element = h("div", { class: "toast", role: "status" });
  }

  /**
   * @param {string} words what happened
   * @param {"done" | "busy" | "bad"} kind "done", "busy" or "bad"
   * @param {Choice[]} actions [words, function] of buttons
   */
  show(words, kind, ...actions) {
    this.element.className = `toast ${kind}`;
    this.element.replaceChildren(h("span", { title: words }, words),
      ...actions.map(([label, onclick]) => h("button", { type: "button", onclick }, label)));
  }

  hide() {
    this.element.replaceChildren();
  }
}
