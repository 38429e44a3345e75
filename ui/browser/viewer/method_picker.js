/** Chooses whose map a pane shows: a native list of methods, by family. */

import { h } from "./dom.js";

// Arrow keys step through a closed list: only where the reader stops is a map made.
const KEYBOARD_PAUSE_MS = 700;

export class MethodPicker {
  #pick;
  /** @type {string | null} */
  #shown = null;
  #byKeyboard = false;
  #timer = 0;

  /**
   * @param {string} label what is chosen, for screen readers
   * @param {Family[]} families
   * @param {(method: string) => void} pick called with the key of the method that was chosen
   */
  constructor(label, families, pick) {
    this.#pick = pick;
    this.element = h("select", {
      class: "method", "aria-label": label,
      onkeydown: (event) => this.#key(event), onpointerdown: () => { this.#byKeyboard = false; },
      onchange: () => this.#changed(), onblur: () => this.#commit(),
    }, families.map(({ name, methods }) => h("optgroup", { label: name },
      methods.map(({ key, name: words, question }) =>
        h("option", { value: key, title: question }, words)))));
  }

  /**
   * The method on screen; a choice under way is left alone.
   *
   * @param {string} key
   */
  set value(key) {
    this.#shown = key;
    if (this.#timer) return;
    this.element.value = key;
    this.#describe();
  }

  stop() {
    clearTimeout(this.#timer);
    this.#timer = 0;
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    this.#byKeyboard = true;
    if (event.key !== "Escape") return;
    this.stop();
    if (this.#shown !== null) this.value = this.#shown;
    this.element.blur();
  }

  #changed() {
    this.#describe();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#commit(), this.#byKeyboard ? KEYBOARD_PAUSE_MS : 0);
  }

  #commit() {
    if (!this.#timer) return;
    this.stop();
    this.element.blur(); // the next letter is a verdict's key, not the beginning of a method's name
    if (this.element.value !== this.#shown) this.#pick(this.element.value);
  }

  #describe() {
    this.element.title = this.element.selectedOptions[0]?.title ?? "";
  }
}
