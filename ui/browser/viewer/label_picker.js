/** A field to choose one of many classes by typing part of its name (an ARIA combobox). */

import { h, mark } from "./dom.js";

const MOST_SHOWN = 60;

let nextId = 0;

export class LabelPicker {
  /** @type {string[]} */
  #labels = [];
  /** @type {string | null} */
  #value = null;
  #active = 0;
  /** @type {string[]} */
  #found = [];
  #chosen;

  /**
   * @param {string} name accessible name of the field
   * @param {string} placeholder shown while nothing is chosen
   * @param {(label: string | null) => void} chosen called with the class, or with null when the field is emptied
   */
  constructor(name, placeholder, chosen) {
    this.#chosen = chosen;
    const id = `labels-${nextId++}`;
    this.list = h("ul", { id, role: "listbox", "aria-label": name, hidden: true });
    this.input = h("input", {
      type: "text", role: "combobox", "aria-label": name, "aria-controls": id,
      "aria-expanded": "false", "aria-autocomplete": "list", autocomplete: "off",
      spellcheck: "false", placeholder,
      oninput: () => this.#search(this.input.value),
      onfocus: () => { this.input.select(); this.#search(""); },
      onblur: () => this.#leave(),
      onkeydown: (event) => this.#key(event),
    });
    this.clear = h("button", { class: "clear", type: "button", "aria-label": `Clear: ${name}`,
      hidden: true, onclick: () => { this.value = null; this.#chosen(null); } }, "×");
    this.element = h("span", { class: "picker" }, this.input, this.clear, this.list);
  }

  /**
   * Call the field otherwise; as in the constructor.
   *
   * @param {string} name
   * @param {string} placeholder
   */
  rename(name, placeholder) {
    for (const element of [this.list, this.input]) element.setAttribute("aria-label", name);
    this.clear.setAttribute("aria-label", `Clear: ${name}`);
    this.input.placeholder = placeholder;
  }

  /** @param {string[]} labels */
  set labels(labels) {
    this.#labels = labels;
  }

  /** @returns {string | null} */
  get value() {
    return this.#value;
  }

  set value(label) {
    this.#value = label;
    this.input.value = label ?? "";
    this.clear.hidden = !label;
    this.#close();
  }

  /** Whether the field shows something else than what is chosen. */
  get isHalfTyped() {
    return this.input.value.trim() !== (this.#value ?? "");
  }

  /** @param {string} text */
  #search(text) {
    const words = text.trim().toLowerCase().split(/\s+/);
    const matches = this.#labels.filter((label) => {
      const name = label.toLowerCase();
      return words.every((word) => name.includes(word));
    });
    const start = words[0];
    /** @type {(label: string) => number} */
    const rank = (label) => (label.toLowerCase().startsWith(start) ? 0 : 1);
    this.#found = start ? matches.sort((a, b) => rank(a) - rank(b)) : matches;
    this.#active = 0;
    this.#draw();
  }

  #draw() {
    const shown = this.#found.slice(0, MOST_SHOWN);
    const rest = this.#found.length - shown.length;
    const items = shown.map((label, index) => h("li", {
      role: "option", id: `${this.list.id}-${index}`, "aria-selected": index === this.#active,
      onpointerdown: (event) => { event.preventDefault(); this.#choose(label); },
    }, label));
    if (!shown.length) items.push(h("li", { class: "none" }, "No such class"));
    if (rest) items.push(h("li", { class: "none" }, `${rest} more: type part of the name`));
    this.list.replaceChildren(...items);
    this.list.hidden = false;
    mark(this.input, "aria-expanded", true);
    this.#highlight();
  }

  #highlight() {
    const options = this.list.querySelectorAll("[role=option]");
    options.forEach((option, index) => mark(option, "aria-selected", index === this.#active));
    const active = options[this.#active];
    this.input.setAttribute("aria-activedescendant", active?.id ?? "");
    active?.scrollIntoView({ block: "nearest" });
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const n = Math.min(this.#found.length, MOST_SHOWN);
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      this.#active = (this.#active + (event.key === "ArrowDown" ? 1 : n - 1)) % Math.max(1, n);
      this.#highlight();
    } else if (event.key === "Enter" && !this.list.hidden && n) this.#choose(this.#found[this.#active]);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** @param {string} label */
  #choose(label) {
    this.value = label;
    this.#chosen(label);
    this.input.blur();
  }

  #leave() {
    const emptied = !this.input.value.trim() && this.#value;
    this.value = emptied ? null : this.#value;
    if (emptied) this.#chosen(null);
  }

  #close() {
    this.list.hidden = true;
    mark(this.input, "aria-expanded", false);
    this.input.removeAttribute("aria-activedescendant");
  }
}
