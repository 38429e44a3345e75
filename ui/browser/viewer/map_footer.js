/** Below a map: how far it can be trusted, and whether the reader finds it plausible. */

import { h, mark, refill } from "./dom.js";
import { trustBadge } from "./trust_badge.js";

export class MapFooter {
  #judge;
  #act;
  #key;
  #judgements;
  #buttons = [];

  /**
   * @param key the key that cycles through the judgements
   * @param judgements [{ key, words }], in the order in which it does
   * @param events { judge(value), act(action) }: called with the judgement, or null when it is
   *   taken back, and with what is asked of the server
   */
  constructor(element, key, judgements, { judge, act }) {
    this.#judgements = judgements;
    this.#act = act;
    this.element = element;
    this.#key = key;
    this.#judge = judge;
  }

  /**
   * @param map of the case on screen
   * @param drawn whether the map may be drawn: one that may not cannot be plausible
   * @param enabled whether this reader may judge
   */
  show(map, { drawn, enabled }) {
    this.#buttons = [];
    if (!map.id) return refill(this.element);
    if (!drawn) return refill(this.element, trustBadge(map, this.#act));
    this.#buttons = this.#judgements.map(({ key: value, words }) => h("button", {
      type: "button", role: "radio", "data-value": value, disabled: !enabled,
      onclick: () => this.#judge(this.value === value ? null : value),
    }, words));
    return refill(
      this.element,
      trustBadge(map, this.#act),
      h("span", { class: "grow" }),
      h("span", { class: "judge", role: "radiogroup", "aria-label": `${map.name}: is it plausible?`,
        title: `Is this explanation plausible? (${this.#key}) Judged apart from the prediction.` },
      h("kbd", {}, this.#key), this.#buttons),
    );
  }

  get value() {
    return this.#buttons.find((b) => b.getAttribute("aria-checked") === "true")?.dataset.value ?? null;
  }

  set value(value) {
    for (const button of this.#buttons) mark(button, "aria-checked", button.dataset.value === value);
  }

  /** Go to the next judgement, and after the last to none. */
  cycle() {
    if (!this.#buttons.length || this.#buttons[0].disabled) return;
    const values = [...this.#judgements.map(({ key }) => key), null];
    const at = this.value === null ? -1 : values.indexOf(this.value);
    this.#judge(values[at + 1]);
  }
}
