/** Below a map: how far it can be trusted, and whether the reader finds it plausible. */

import { h, mark, refill } from "./dom.js";
import { trustBadge } from "./trust_badge.js";

export class MapFooter {
  #judge;
  #act;
  #key;
  #judgements;
  /** @type {HTMLButtonElement[]} */
  #buttons = [];

  /**
   * @param {Element} element the footer of the map's pane
   * @param {string} key the key that cycles through the judgements
   * @param {Site["plausibility"]} judgements in the order in which it does
   * @param {{ judge: (value: Plausibility | null) => void, act: Act }} events called with the
   *   judgement, or null when it is taken back, and with what is asked of the server
   */
  constructor(element, key, judgements, { judge, act }) {
    this.#judgements = judgements;
    this.#act = act;
    this.element = element;
    this.#key = key;
    this.#judge = judge;
  }

  /**
   * @param {MapEntry} map of the case on screen
   * @param {{ drawn: boolean, enabled: boolean }} may whether the map may be drawn, as one that may
   *   not cannot be plausible, and whether this reader may judge
   */
  show(map, { drawn, enabled }) {
    this.#buttons = [];
    if (map.id === null) return refill(this.element);
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

  /** @returns {Plausibility | null} */
  get value() {
    const checked = this.#buttons.findIndex((b) => b.getAttribute("aria-checked") === "true");
    return this.#judgements[checked]?.key ?? null;
  }

  set value(value) {
    for (const button of this.#buttons) mark(button, "aria-checked", button.dataset.value === value);
  }

  /** Go to the next judgement, and after the last to none. */
  cycle() {
    if (!this.#buttons.length || this.#buttons[0].disabled) return;
    const at = this.#judgements.findIndex(({ key }) => key === this.value);
    this.#judge(this.#judgements[at + 1]?.key ?? null);
  }
}
