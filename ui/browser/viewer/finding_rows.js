/** The findings that are judged, a row each: present, absent or indeterminate. */

import { h, refill } from "./dom.js";
import { percent } from "./numbers.js";
import { callOf, contrary, judgedOf } from "./rules.js";

/** @type {Call[]} */
const CALLS = ["present", "absent", "indeterminate"];
const FIRST_LETTER = "a".charCodeAt(0);
const N_LETTERS = 26;
/** Keys that only change what the next one means. */
const MODIFIERS = ["Shift", "CapsLock", "Control", "Alt", "AltGraph", "Meta"];

export class FindingRows {
  #names;
  #does;
  /** @type {Finding[]} */
  #rows = [];
  /** @type {Draft["findings"]} */
  #said = {};
  #open = false;

  /**
   * @param {Record<Call, string>} names of the calls
   * @param {{ say: (label: string, call: Call) => void, unsay: (label: string) => void }} does
   */
  constructor(names, does) {
    this.#names = names;
    this.#does = does;
    this.element = h("div", { class: "findings", role: "group", "aria-label": "Findings" });
  }

  /**
   * @param {Finding[]} findings of the prediction; none where its answer is one class
   * @param {Draft["findings"]} said of them
   * @param {boolean} open whether something may be said of them
   */
  show(findings, said, open) {
    this.#rows = judgedOf(findings, said);
    this.#said = said;
    this.#open = open;
    if (!open || !this.#rows.length) this.lettered = false;
    this.element.hidden = !this.#rows.length;
    refill(this.element, this.#rows.map((finding, index) => this.#row(finding, index)));
  }

  /** Whether the next key is the letter of a row. */
  get lettered() {
    return this.element.classList.contains("lettered");
  }

  set lettered(on) {
    this.element.classList.toggle("lettered", on && this.#open && this.#rows.length > 0);
  }

  /**
   * Take the key after the one that asked for a letter: it changes its row, or nothing.
   *
   * @param {string} key as the keyboard's listener names it
   * @param {boolean} shift with Shift, the finding becomes indeterminate
   * @returns whether it was taken
   */
  take(key, shift) {
    if (!this.lettered || MODIFIERS.includes(key)) return false;
    this.lettered = false;
    const finding = key.length === 1 ? this.#rows[key.charCodeAt(0) - FIRST_LETTER] : undefined;
    if (finding) this.change(finding, shift);
    return true;
  }

  /**
   * Change what is said of a finding, and bring its row into sight.
   *
   * @param {Finding} finding
   * @param {boolean} [unclear] whether it becomes indeterminate
   */
  change(finding, unclear = false) {
    const { label } = finding;
    this.#does.say(label, unclear ? "indeterminate" : contrary(finding, this.#said));
    this.element.querySelector(`[data-row="${CSS.escape(label)}"]`)?.scrollIntoView({ block: "nearest" });
  }

  /**
   * @param {Finding} finding
   * @param {number} index
   */
  #row(finding, index) {
    const { label, score, asked } = finding;
    const [model, said] = [callOf(finding), this.#said[label]];
    return h("div", { class: "row", "data-row": label, role: "radiogroup", "aria-label": label },
      h("kbd", {}, index < N_LETTERS ? String.fromCharCode(FIRST_LETTER + index).toUpperCase() : ""),
      h("span", { class: "name", title: label }, label),
      h("span", { class: "score" }, percent(score)),
      CALLS.map((call) => h("button", {
        type: "button", role: "radio", class: call === model ? "of-model" : "differs", disabled: !this.#open,
        "aria-checked": String(call === said), "data-id": `${label}/${call}`,
        title: call === model ? "What the model says" : null,
        onclick: () => this.#does.say(label, call),
      }, this.#names[call])),
      h("button", { type: "button", class: "clear", hidden: asked, "data-id": `${label}/clear`,
        "aria-label": `Say nothing of ${label}`, onclick: () => this.#does.unsay(label) }, "×"));
  }
}
