/** What the model said: its class and scores, which model, and which class the maps explain. */

import { h } from "./dom.js";
import { LabelPicker } from "./label_picker.js";
import { percent } from "./numbers.js";

export class PredictionPanel {
  #act;
  #reading = null;
  #labels = [];
  #recipes = null;

  /** @param act sends { kind, ... } to the server */
  constructor(act) {
    this.#act = act;
    this.picker = new LabelPicker("Explain another class", "Another class …", (label) => {
      if (label !== null) this.#explain(this.#labels.indexOf(label));
    });
    this.element = h("section", { class: "panel prediction", "aria-label": "Prediction" });
  }

  /**
   * @param reading the case on screen
   * @param labels every class of its model
   * @param recipes { presets, steppings, baselines }: the ways in which maps can be made
   */
  show(reading, labels, recipes) {
    this.#reading = reading;
    this.#recipes = recipes;
    this.#labels = labels;
    this.picker.labels = labels;
    this.picker.value = null;
    const { prediction } = reading;
    this.element.replaceChildren(...(prediction ? this.#parts(prediction) : [
      h("header", {}, h("h2", {}, "Prediction")),
      h("p", { class: "muted" }, reading.maps[0].job?.error ? "The model gave no answer." : "Not predicted yet."),
    ]));
  }

  #parts(prediction) {
    const { model, label } = prediction;
    const tabs = this.#reading.models.length > 1 ? this.#tabs() : null;
    const version = `${model.name} ${model.version}`;
    return [
      h("header", {}, h("h2", {}, "Prediction"), tabs ?? h("span", { class: "aside" }, version)),
      h("p", { class: "answer" }, h("strong", {}, label), h("span", {}, percent(prediction.score))),
      h("ul", { class: "scores", "aria-label": "Scores" },
        prediction.top.map((entry) => bar(entry, prediction))),
      this.#target(prediction),
      h("p", { class: "small muted", title: model.limits || null },
        `${tabs ? `${version} · ` : ""}weights ${model.weights} · A model's output is a suggestion.`),
    ].filter(Boolean);
  }

  #tabs() {
    const { models, model_id, id } = this.#reading;
    return h("div", { class: "tabs", role: "tablist", "aria-label": "Models that predicted this case" },
      models.map((model) => h("button", {
        type: "button", role: "tab", "aria-selected": String(model.id === model_id),
        title: `${model.name} ${model.version}: ${model.label ?? "not predicted yet"}`,
        onclick: () => this.#act({ kind: "open", case_id: id, model_id: model.id }),
      }, model.name)));
  }

  #target({ target, index, label }) {
    if (target.index === index) {
      return h("div", { class: "target" }, this.picker.element, this.#recipe(target.index));
    }
    return h("div", { class: "target" },
      h("span", { class: "other" }, "Maps explain ", h("strong", {}, target.label),
        ", not the predicted class."),
      h("button", { type: "button", onclick: () => this.#explain(index) }, `Back to ${label}`));
  }

  /** How the maps were made; another choice makes, or opens, other maps. */
  #recipe(target) {
    const { recipe } = this.#reading;
    if (!recipe) return null;
    const choose = (name, label, values) => h("select", {
      "aria-label": label, title: label,
      onchange: (event) => this.#explain(target, { ...recipe, [name]: event.target.value }),
    }, values.map((value) => h("option", { value, selected: value === recipe[name] }, value)));
    return h("span", { class: "recipe" },
      choose("preset", "Effort: steps, windows and samples", this.#recipes.presets),
      choose("stepping", "Points of Integrated Gradients: the preset's number of them, or as many as "
        + "its tolerance needs", this.#recipes.steppings), " against ",
      choose("baseline", "What the image is compared with", this.#recipes.baselines));
  }

  #explain(target, recipe = {}) {
    const { id, model_id, maps } = this.#reading;
    const methods = maps.map((map) => map.method);
    this.#act({ kind: "explain", case_id: id, model_id, target, methods, ...recipe });
  }
}

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
