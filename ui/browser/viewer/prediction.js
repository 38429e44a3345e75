/** What the model said: its answer and scores, which model, and which class the maps explain. */

import { explain } from "./case.js";
import { fill, h, mark } from "./dom.js";
import { LabelPicker } from "./label_picker.js";
import { percent } from "./numbers.js";

const FEW = 5;

export class PredictionPanel {
  #act;
  /** @type {Case | null} */
  #opened = null;
  /** @type {string[]} */
  #labels = [];
  #scores = h("ul", { class: "scores", "aria-label": "Scores" });
  /** Of which prediction all findings are shown. */
  #allOf = 0;

  /** @param {Act} act sends to the server */
  constructor(act) {
    this.#act = act;
    this.picker = new LabelPicker("Explain another class", "Explain another class …", (label) => {
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
    if (prediction?.findings.length) this.picker.rename("Explain another finding", "Explain another finding …");
    else this.picker.rename("Explain another class", "Explain another class …");
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
    const { model } = prediction;
    const tabs = opened.models.length > 1 ? this.#tabs(opened) : null;
    const version = `${model.name} ${model.version}`;
    return [
      h("header", {}, h("h2", {}, "Prediction"), this.#all(prediction), tabs ?? h("span", { class: "aside" }, version)),
      answer(prediction),
      this.#bars(prediction),
      this.#target(opened, prediction, recipes),
      h("p", { class: "small muted", title: model.limits || null },
        `${tabs ? `${version} · ` : ""}weights ${model.weights} · A model's output is a suggestion.`),
    ];
  }

  /**
   * The scores: of many findings those that are present or come first, or all.
   *
   * @param {Prediction} prediction
   */
  #bars(prediction) {
    const { findings, top, id } = prediction;
    const all = this.#allOf === id ? findings.length : firstOf(findings);
    const shown = findings.length ? findings.slice(0, all) : top;
    fill(this.#scores, shown.map((entry) => bar(entry, prediction)));
    return this.#scores;
  }

  /**
   * What shows all findings, where there are more.
   *
   * @param {Prediction} prediction
   */
  #all(prediction) {
    const { findings, id } = prediction;
    if (firstOf(findings) === findings.length) return null;
    const button = h("button", {
      type: "button", class: "all", "aria-pressed": String(this.#allOf === id),
      onclick: () => {
        this.#allOf = this.#allOf === id ? 0 : id;
        mark(button, "aria-pressed", this.#allOf === id);
        this.#bars(prediction);
      },
    }, `All ${findings.length}`);
    return button;
  }

  /** @param {Case} opened */
  #tabs({ models, model_id, id }) {
    return h("div", { class: "tabs", role: "tablist", "aria-label": "Models that predicted this case" },
      models.map((model) => h("button", {
        type: "button", role: "tab", "aria-selected": String(model.id === model_id),
        title: `${model.name} ${model.version}: ${model.answer}`,
        onclick: () => this.#act({ kind: "open", case_id: id, model_id: model.id }),
      }, model.name)));
  }

  /**
   * @param {Case} opened
   * @param {Prediction} prediction
   * @param {Recipes | undefined} recipes
   */
  #target({ recipe }, { target, index, label, kind }, recipes) {
    if (target.index === index) {
      return h("div", { class: "target" }, this.picker.element, recipe && recipes && this.#recipe(recipe, target.index, recipes));
    }
    return h("div", { class: "target" },
      h("span", { class: "other" }, "Maps explain ", h("strong", {}, target.label),
        kind === "class" ? ", not the predicted class." : "."),
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
 * How many findings show unless all are asked for.
 *
 * @param {Finding[]} findings
 */
function firstOf(findings) {
  const n = Math.max(FEW, findings.filter(({ present }) => present).length);
  return Math.min(n, findings.length);
}

/**
 * The answer in large words: the class, each finding that is present, or none and which came nearest.
 *
 * @param {Prediction} prediction
 */
function answer({ answer: { label, index }, score, findings }) {
  if (!findings.length) return large([[label, percent(score)]]);
  const said = findings.filter(({ present }) => present)
    .sort((a, b) => Number(b.index === index) - Number(a.index === index));
  if (said.length) return large(said.map((each) => [each.label, percent(each.score)]));
  const nearest = findings.find((each) => each.index === index) ?? findings[0];
  const isHighest = findings.every((each) => each.score <= nearest.score);
  return [large([[label.charAt(0).toUpperCase() + label.slice(1), ""]]),
    h("p", { class: "nearest" }, `${isHighest ? "highest" : "nearest"}: ${nearest.label} ${percent(nearest.score)} `
      + `(from ${percent(nearest.threshold)} it counts as present)`)];
}

/** @param {[words: string, share: string][]} parts the first of them is the largest */
function large(parts) {
  return h("p", { class: "answer", title: parts.map((part) => part.join(" ")).join(", ") },
    parts.map(([words, share]) => [h("strong", {}, words), h("span", {}, share)]));
}

/**
 * @param {Score | Finding} entry
 * @param {Prediction} prediction
 */
function bar(entry, prediction) {
  const { index, label, score } = entry;
  const finding = "threshold" in entry ? entry : null;
  const predicted = finding ? finding.present : index === prediction.index;
  const classes = [predicted ? "predicted" : "", index === prediction.target.index ? "explained" : ""];
  return h("li", { class: classes.join(" ").trim() },
    h("span", { class: "name", title: label }, label),
    h("span", { class: "track" }, h("span", { style: `width: ${100 * score}%` }), finding && tick(finding)),
    h("span", { class: "score" }, percent(score)));
}

/** @param {Finding} finding */
function tick({ threshold }) {
  return h("i", { style: `left: ${100 * threshold}%`, title: `present from ${percent(threshold)}` });
}
