/** The pane that sets the two maps on screen against each other, and the numbers that belong to it. */

import { drawable } from "./attribution.js";
import { gradient } from "./colours.js";
import { h, say } from "./dom.js";
import { Pane } from "./pane.js";
import { agreementOf } from "./pictures.js";

const NAME = "Disagreement";
const EVEN = 0.005; // differences that would read as 0.00
const CHANCE = "By chance: what the same two maps reach when one is shifted over the other";
const HELP = "/help#where-two-maps-disagree";

export class DisagreementPane extends Pane {
  /** @type {string[]} */
  #names = [];
  /** @type {number[] | null} */
  #pair = null;
  #found;
  #ends = [h("span"), h("span")];
  #ramp = h("span", { class: "ramp" });
  #lut;
  #numbers = h("dl");

  /**
   * @param {number} index of the pane
   * @param {number[]} lut 256 colours, flat, other ones than the maps have
   * @param {(map: DrawableMap) => void} found called with the map to draw as soon as the server has
   *   compared the maps on screen
   */
  constructor(index, lut, found) {
    super(NAME, index);
    this.#lut = lut;
    this.#found = found;
    const [first, second] = this.#ends;
    this.footer.append(h("div", { class: "contrast" }, this.#ramp,
      h("span", { class: "ticks" }, first, h("span", { class: "middle" }, "← says more →"), second)));
    this.strip = h("aside", { class: "agreement", "aria-label": "How far the two maps agree" },
      h("strong", {}, "How far the two agree"), this.#numbers,
      h("a", { href: HELP, target: "_blank" }, "What these mean"));
  }

  /**
   * Show or hide the pane; its bar leaves out what is not drawn. Returns whether it came or went.
   *
   * @param {Preferences} looks
   */
  look({ compared, threshold }) {
    const turned = this.element.hidden === compared;
    this.element.hidden = !compared;
    this.strip.hidden = !compared;
    this.#ramp.style.backgroundImage = gradient(this.#lut, threshold);
    if (turned) this.#compare();
    return turned;
  }

  /**
   * Compare the two maps of a case, where the pane is shown, and say how far they agree.
   *
   * @param {MapEntry[]} entries the maps' entries in the case, two
   * @param {LoadedMap[]} decoded
   */
  show(entries, decoded) {
    this.#names = entries.map(({ name }) => name);
    const [first, second] = this.#names;
    this.#names.forEach((name, end) => say(this.#ends[end], name));
    this.footer.title = `Violet: there ${first} speaks more for the class than ${second} does. `
      + `Green: there ${second} speaks more for it than ${first} does.`;
    const problem = problemOf(entries, decoded);
    const ids = entries.flatMap(({ id }, index) => (id !== null && drawable(decoded[index] ?? null) ? [id] : []));
    this.#pair = !problem && ids.length === entries.length ? ids : null;
    this.#excuse(problem);
    this.canvas.setAttribute("aria-label", problem ?? `Where ${first} and ${second} disagree`);
    say(this.aside, problem ? "" : "half the difference · colours end at ±0.5");
    this.#compare();
  }

  async #compare() {
    const pair = this.element.hidden ? null : this.#pair;
    this.#numbers.replaceChildren();
    if (!pair) return;
    try {
      const found = await agreementOf(pair);
      if (pair !== this.#pair || this.element.hidden) return;
      this.#excuse(null);
      this.#numbers.replaceChildren(...rows(found));
      this.#found(found.map);
    } catch (error) {
      const { message } = /** @type {Error} */ (error);
      if (pair === this.#pair) this.#excuse(`The comparison could not be loaded: ${message}.`);
    }
  }

  /** @param {string | null} problem */
  #excuse(problem) {
    this.tell(...(problem ? [h("strong", {}, "Nothing to compare"), h("p", {}, problem)] : []));
  }

  /**
   * @param {number | null} value
   * @param {number} limit
   */
  readMap(value, limit) {
    if (value === null) return super.readMap(value, limit);
    const [first, second] = this.#names;
    const words = Math.abs(value) < EVEN ? "both say the same"
      : `${value > 0 ? first : second} says more`;
    return this.read(`${Math.abs(value).toFixed(2)}   ${words}`);
  }
}

/**
 * Why two maps cannot be compared, in words, or null; nothing is said while they load.
 *
 * @param {MapEntry[]} entries
 * @param {LoadedMap[]} decoded
 */
function problemOf(entries, decoded) {
  for (const [index, { id, name }] of entries.entries()) {
    const map = decoded[index];
    if (id === null) return `There is no ${name} map yet.`;
    if (map instanceof Error) return `The ${name} map could not be loaded.`;
    if (map && map.problem !== null) return `The ${name} map means nothing: ${map.problem}.`;
  }
  return null;
}

/**
 * The numbers in plain words, each with what the same maps reach when one is shifted.
 *
 * @param {Agreement} agreement
 */
function rows({ by_chance: byChance, ...found }) {
  /** @type {(value: number) => string} */
  const share = (value) => `${Math.round(100 * value)} %`;
  /** @type {(value: number) => string} */
  const score = (value) => value.toFixed(2).replace("-", "−");
  /** @type {[name: string, key: keyof Agreed, words: (value: number) => string][]} */
  const measures = [
    ["Rank correlation", "spearman", score],
    ["Strongest tenth shared", "top_k_iou", share],
    ["Same sign", "sign", share],
    ["Structural similarity", "ssim", score],
  ];
  return measures.map(([name, key, words]) => {
    const [value, chance] = [found[key], byChance[key]];
    return h("div", { title: CHANCE }, h("dt", {}, name),
      h("dd", {}, value === null ? "–" : words(value)),
      h("dd", { class: "chance" }, chance === null ? "" : `by chance ${words(chance)}`));
  });
}
