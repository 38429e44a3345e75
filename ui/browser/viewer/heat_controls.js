/** Heatmaps and their comparison on and off, opacity, threshold, and the one colour bar of both maps. */

import { gradient } from "./colours.js";
import { h, mark, say } from "./dom.js";

const KEY_STEP = 0.05;

export class HeatControls {
  #looks;
  #changed;
  #lut;

  /**
   * @param {Preferences} looks changed in place
   * @param {number[]} lut 256 colours, flat
   * @param {() => void} changed called after every change
   */
  constructor(looks, lut, changed) {
    this.#looks = looks;
    this.#lut = lut;
    this.#changed = changed;
    this.toggle = h("button", {
      class: "toggle", type: "button", title: "Show or hide the heatmaps (H); hold H to flicker",
      onclick: () => this.setHeat(!looks.heat),
    }, h("kbd", {}, "H"), "Heatmap");
    this.compare = h("button", {
      class: "toggle", type: "button", title: "Show or hide where the two maps disagree (D)",
      onclick: () => this.setCompared(!looks.compared),
    }, h("kbd", {}, "D"), "Disagreement");
    this.opacity = slider("Opacity", "Opacity of the heatmaps ( [ and ] )", (value) =>
      this.#set("opacity", value));
    this.threshold = slider("Hide below", "Hide what is below this share of each map's limit "
      + "( , and . )", (value) => this.#set("threshold", value));
    this.#ramp = h("span", { class: "ramp", role: "img",
      "aria-label": "Colour bar: blue speaks against the class, orange for it, zero in the middle" });
    this.element = h("div", { class: "heat-controls", role: "group", "aria-label": "Heatmaps" },
      this.toggle, this.compare, this.opacity.element, this.threshold.element, this.#bar());
    this.update();
  }

  #ramp;

  /** @param {boolean} on */
  setHeat(on) {
    this.#looks.heat = on;
    this.update();
    this.#changed();
  }

  /** @param {boolean} on */
  setCompared(on) {
    this.#looks.compared = on;
    this.update();
    this.#changed();
  }

  /**
   * Move a slider by steps of its keyboard shortcut.
   *
   * @param {"opacity" | "threshold"} name
   * @param {number} steps
   */
  nudge(name, steps) {
    this.#set(name, Math.min(1, Math.max(0, this.#looks[name] + steps * KEY_STEP)));
  }

  update() {
    const { heat, compared, opacity, threshold } = this.#looks;
    mark(this.toggle, "aria-pressed", heat);
    mark(this.compare, "aria-pressed", compared);
    this.opacity.show(opacity);
    this.threshold.show(threshold);
    this.#ramp.style.backgroundImage = gradient(this.#lut, threshold);
  }

  /**
   * @param {"opacity" | "threshold"} name
   * @param {number} value
   */
  #set(name, value) {
    this.#looks[name] = Math.round(100 * value) / 100;
    this.update();
    this.#changed();
  }

  #bar() {
    const ticks = ["−limit", "0", "+limit"].map((text) => h("span", {}, text));
    return h("div", { class: "colour-bar",
      title: "Both maps share these colours. Each map has its own limit, stated above it; "
        + "colours are shares of that limit." },
    h("span", { class: "end" }, "against"),
    h("span", { class: "scale" }, this.#ramp, h("span", { class: "ticks" }, ticks)),
    h("span", { class: "end" }, "for the class"));
  }
}

/**
 * @param {string} label
 * @param {string} title
 * @param {(value: number) => void} set
 */
function slider(label, title, set) {
  const output = h("output");
  const input = h("input", { type: "range", min: 0, max: 100, step: 1, "aria-label": label,
    oninput: () => set(input.valueAsNumber / 100) });
  return {
    element: h("label", { class: "slider", title }, h("span", {}, label), input, output),
    /** @param {number} value */
    show(value) {
      input.value = String(100 * value);
      say(output, `${Math.round(100 * value)} %`);
    },
  };
}
