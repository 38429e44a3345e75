/** What the model said: its class and scores, which model, and which class the maps explain. */

import { explain } from "./case.js";
import { fill, h } from "./dom.js";
import { LabelPicker } from "./label_picker.js";
import { percent } from "./numbers.js";

export class PredictionPanel {
  #act;
  /** @type {Case | null} */
  #opened = null;
  /** @type {string[]} */
  #labels = [];

  /** @param {Act} act sends to the server */
  constructor(act) {
    this.#act = act;
    this.picker = new LabelPicker("Explain another class", "Another class …", (label) => {
      if (label !== null) this.#explain(this.#labels.indexOf(label), null);
    });
    this.element = h("section", { class: "panel prediction", "aria-label": "Prediction" });
  }

  /**
   * @param {Case} opened the case on screen
   * @param {string[]} labels every class of its model
   * @param {Recipes | undefined} recipes the ways in which maps can be made
   */
  show(opened, labels, recipes) {
    this.#opened = opened;
    this.#labels = labels;
    this.picker.labels = labels;
    this.picker.value = null;
    const { prediction } = opened;
    fill(this.element, prediction ? this.#parts(opened, prediction, recipes) : [
      h("header", {}, h("h2", {}, "Prediction")),
      h("p", { class: "muted" }, opened.maps[0].job?.error ? "The model gave no answer." : "Not predicted yet."),
    ]);
  }

  /**
   * @param {Case} opened
   * @param {Prediction} prediction
   * @param {Recipes | undefined} recipes
   */
  #parts(opened, prediction, recipes) {
    const { model, label } = prediction;
    const tabs = opened.models.length > 1 ? this.#tabs(opened) : null;
    const version = `${model.name} ${model.version}`;
    return [
      h("header", {}, h("h2", {}, "Prediction"), tabs ?? h("span", { class: "aside" }, version)),
      h("p", { class: "answer" }, h("strong", {}, label), h("span", {}, percent(prediction.score))),
      h("ul", { class: "scores", "aria-label": "Scores" },
        prediction.top.map((entry) => bar(entry, prediction))),
      this.#target(opened, prediction, recipes),
      h("p", { class: "small muted", title: model.limits || null },
        `${tabs ? `${version} · ` : ""}weights ${model.weights} · A model's output is a suggestion.`),
    ];
  }

  /** @param {Case} opened */
  #tabs({ models, model_id, id }) {
    return h("div", { class: "tabs", role: "tablist", "aria-label": "Models that predicted this case" },
      models.map((model) => h("button", {
        type: "button", role: "tab", "aria-selected": String(model.id === model_id),
        title: `${model.name} ${model.version}: ${model.label ?? "not predicted yet"}`,
        onclick: () => this.#act({ kind: "open", case_id: id, model_id: model.id }),
      }, model.name)));
  }

  /**
   * @param {Case} opened
   * @param {Prediction} prediction
   * @param {Recipes | undefined} recipes
   */
  #target({ recipe }, { target, index, label }, recipes) {
    if (target.index === index) {
      return h("div", { class: "target" }, this.picker.element, recipe && recipes && this.#recipe(recipe, target.index, recipes));
    }
    return h("div", { class: "target" },
      h("span", { class: "other" }, "Maps explain ", h("strong", {}, target.label),
        ", not the predicted class."),
      h("button", { type: "button", onclick: () => this.#explain(index, null) }, `Back to ${label}`));
  }

  /**
   * How the maps were made; another choice makes, or opens, other maps.
   *
   * @param {Recipe} recipe
   * @param {number} target
   * @param {Recipes} recipes
   */
  #recipe(recipe, target, recipes) {
    /** @type {(name: keyof Recipe, label: string, values: string[]) => Element} */
    const choose = (name, label, values) => h("select", {
      "aria-label": label, title: label,
      onchange: ({ target: select }) => this.#explain(target, {
        ...recipe, [name]: /** @type {HTMLSelectElement} */ (select).value,
      }),
    }, values.map((value) => h("option", { value, selected: value === recipe[name] }, value)));
    return h("span", { class: "recipe" },
      choose("preset", "Effort: steps, windows and samples", recipes.presets),
      choose("stepping", "Points of Integrated Gradients: the preset's number of them, or as many as "
        + "its tolerance needs", recipes.steppings), " against ",
      choose("baseline", "What the image is compared with", recipes.baselines));
  }

  /**
   * @param {number} target
   * @param {Recipe | null} recipe
   */
  #explain(target, recipe) {
    if (!this.#opened) return;
    this.#act(explain({ ...this.#opened, target, recipe }));
  }
}

/**
 * @param {Score} score
 * @param {Prediction} prediction
 */
function bar({ index, label, score }, prediction) {
  const classes = [
    index === prediction.index ? "predicted" : "",
    index === prediction.target.index ? "explained" : "",
  ];
  return h("li", { class: classes.join(" ").trim() },
    h("span", { class: "name", title: label }, label),
    h("span", { class: "track" }, h("span", { style: `width: ${100 * score}%` })),
    h("span", { class: "score" }, percent(score)));
}
