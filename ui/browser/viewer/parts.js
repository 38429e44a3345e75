/** The parts of the screen, built and put together; what happens in them is told to the screen. */

import { DisagreementPane } from "./disagreement_pane.js";
import { h } from "./dom.js";
import { HeatControls } from "./heat_controls.js";
import { ImageTools } from "./image_tools.js";
import { helpDialog } from "./keys.js";
import { MapPane } from "./map_pane.js";
import { Pane } from "./pane.js";
import { Panes } from "./panes.js";
import { keepPreferences } from "./preferences.js";
import { PredictionPanel } from "./prediction.js";
import { TopBar } from "./top_bar.js";
import { VerdictForm } from "./verdict_form.js";

const PANES = ["Original", "Integrated Gradients", "Occlusion"];
const MAP_KEYS = ["G", "O"];

/**
 * @typedef {ReturnType<typeof buildParts>} Parts
 * @typedef {{
 *   act: Act,
 *   step: (neighbour: "previous_id" | "next_id") => void,
 *   sign: () => void,
 *   pick: (index: number, method: string) => void,
 *   judge: (index: number, value: Plausibility | null) => void,
 *   addBox: (box: Rectangle) => void,
 *   draftChanged: () => void,
 *   drawn: (opened: Case, mapsVisible: boolean) => void,
 *   reload: () => void,
 * }} Events what the reader does, and what becomes of the pictures
 */

/**
 * @param {Site} site
 * @param {Looks} looks changed in place
 * @param {Events} events
 */
export function buildParts(site, looks, events) {
  const root = h("div", { class: "reader" });
  const empty = h("div", { class: "empty", hidden: true });
  const help = helpDialog();
  const heat = new HeatControls(looks, site.lut, () => {
    keepPreferences(looks);
    if (disagreement.look(looks)) tools.share();
    panes.redraw();
  });
  const disagreement = new DisagreementPane(PANES.length, site.contrast_lut, (map) =>
    panes.addMap(map));
  const panes = new Panes([...PANES.map((name, index) => new Pane(name, index)), disagreement],
    [site.lut, site.lut, site.contrast_lut], looks, {
      onWindow: (window) => tools.setWindow(window), onBox: events.addBox, onDrawn: events.drawn,
    });
  const tools = new ImageTools(looks, panes, root);
  disagreement.look(looks);
  const mapPanes = MAP_KEYS.map((key, index) => new MapPane(panes.panes[index + 1], key, site, site.pair[index], {
    judge: (value) => events.judge(index, value),
    pick: (method) => events.pick(index, method),
    act: events.act,
    reload: events.reload,
  }));
  const prediction = new PredictionPanel(events.act);
  const form = new VerdictForm(site, events.draftChanged, events.sign);
  const top = new TopBar({
    previous: () => events.step("previous_id"),
    next: () => events.step("next_id"),
    help: () => help.showModal(),
  }, heat.element);
  root.append(top.element,
    h("div", { class: "panes" }, panes.panes.map((pane) => pane.element)),
    disagreement.strip,
    h("div", { class: "desk" }, prediction.element, form.element),
    h("p", { class: "disclaimer" }, `${site.caution} ${site.not_for_diagnosis}`),
    empty, help);
  // A click leaves the focus where it is, so that Enter signs and does not press the button again.
  root.addEventListener("pointerdown", (event) => {
    form.rows.lettered = false;
    if (/** @type {Element} */ (event.target).closest("button")) event.preventDefault();
  });
  return { root, empty, help, heat, disagreement, panes, tools, mapPanes, prediction, form, top };
}
