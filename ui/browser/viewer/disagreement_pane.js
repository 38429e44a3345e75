/** The pane that sets the two maps on screen against each other, and the numbers that belong to it. */

import { agreement, disagreement } from "./agreement.js";
import { drawable } from "./attribution.js";
import { gradient } from "./colours.js";
import { h, say } from "./dom.js";
import { Pane } from "./pane.js";

const NAME = "Disagreement";
const EVEN = 0.005; // differences that would read as 0.00
const CHANCE = "By chance: what the same two maps reach when one is shifted over the other";
const HELP = "/help#where-two-maps-disagree";

export class DisagreementPane extends Pane {
  /** @type {string[]} */
  #names = [];
  /** @type {[DrawableMap, DrawableMap] | null} */
  #pair = null;
  #ends = [h("span"), h("span")];
  #ramp = h("span", { class: "ramp" });
  #lut;
  #numbers = h("dl");

  /**
   * @param {number} index of the pane
   * @param {number[]} lut 256 colours, flat, other ones than the maps have
   */
  constructor(index, lut) {
    super(NAME, index);
    this.#lut = lut;
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
    if (turned) this.#count();
    return turned;
  }

  /**
   * Compare the two maps of a case and say how far they agree.
   *
   * @param {MapEntry[]} entries the maps' entries in the case, two
   * @param {LoadedMap[]} decoded
   * @returns the map to draw, or null where there is nothing to compare
   */
  show(entries, decoded) {
    this.#names = entries.map(({ name }) => name);
    const [first, second] = this.#names;
    this.#names.forEach((name, end) => say(this.#ends[end], name));
    this.footer.title = `Violet: there ${first} speaks more for the class than ${second} does. `
      + `Green: there ${second} speaks more for it than ${first} does.`;
    const problem = problemOf(entries, decoded);
    const [a, b] = decoded.map(drawable);
    this.#pair = !problem && a && b ? [a, b] : null;
    this.tell(...(problem ? [h("strong", {}, "Nothing to compare"), h("p", {}, problem)] : []));
    this.canvas.setAttribute("aria-label", problem ?? `Where ${first} and ${second} disagree`);
    say(this.aside, problem ? "" : "half the difference · colours end at ±0.5");
    this.#count();
    return this.#pair && disagreement(...this.#pair);
  }

  #count() {
    const wanted = this.element.hidden ? null : this.#pair;
    this.#numbers.replaceChildren(...(wanted ? rows(agreement(...wanted)) : []));
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
 * @param {any} agreement
 */
function rows({ byChance, ...found }) {
  /** @type {(value: number) => string} */
  const share = (value) => `${Math.round(100 * value)} %`;
  /** @type {(value: number) => string} */
  const score = (value) => value.toFixed(2).replace("-", "−");
  /** @type {[name: string, key: string, words: (value: number) => string][]} */
  const measures = [
    ["Rank correlation", "spearman", score],
    ["Strongest tenth shared", "topIou", share],
    ["Same sign", "sign", share],
    ["Structural similarity", "ssim", score],
  ];
  return measures.map(([name, key, words]) => h("div", { title: CHANCE }, h("dt", {}, name),
    h("dd", {}, found[key] === null ? "–" : words(found[key])),
    h("dd", { class: "chance" }, byChance[key] === null ? "" : `by chance ${words(byChance[key])}`)));
}
