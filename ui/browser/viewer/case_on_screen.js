/**
 * Shows a case: loads its pixels and maps, fills the panels, and knows when all has been drawn, for
 * nothing can be signed before.
 */

import { drawable } from "./attribution.js";
import { identity } from "./case.js";
import { fill, focusedIn, h, say } from "./dom.js";
import { isWaiting } from "./notices.js";
import { imageOf, mapsOf } from "./pictures.js";

const LEAVE = "second-look:leave";

/**
 * @import { Attention } from "./attention.js"
 * @import { Judging } from "./judging.js"
 * @import { Parts } from "./parts.js"
 * @import { Signing } from "./signing.js"
 * @import { Toast } from "./toast.js"
 */

export class CaseOnScreen {
  /** @type {Case | null} */
  reading = null;
  #parts;
  #with;
  #data;
  /** @type {LoadedMap[]} */
  #maps = [];
  #drawn = false;

  /**
   * @param {Parts} parts
   * @param {{ judging: Judging, signing: Signing, attention: Attention, toast: Toast }} others
   * @param {Desk} data
   */
  constructor(parts, others, data) {
    this.#parts = parts;
    this.#with = others;
    this.#data = data;
  }

  /** @param {Desk} data what the server says is open */
  set data(data) {
    this.#data = data;
  }

  /** The time from here until the next case is drawn is measured. */
  leave() {
    performance.mark(LEAVE);
  }

  /**
   * Show what the server says of a case; what is on screen already is not drawn again.
   *
   * @param {Case | null} reading
   */
  show(reading) {
    if (identity(reading) !== identity(this.reading)) this.open(reading);
    else {
      this.reading = reading;
      this.#fillPanels();
    }
  }

  /** @param {Case | null} reading */
  open(reading) {
    const [before, { root, panes, tools, disagreement }] = [this.reading, this.#parts];
    this.reading = reading;
    this.#drawn = false;
    this.#maps = [];
    this.#with.judging.open();
    delete root.dataset.drawn;
    if (reading?.id === before?.id) panes.dropMaps();
    else {
      panes.clear();
      if (reading) tools.show(reading.image);
    }
    if (reading?.id !== before?.id || reading?.model_id !== before?.model_id) {
      focusedIn(root)?.blur(); // what is typed next is for the next prediction
      this.#with.attention.restart();
    }
    if (reading) disagreement.show(reading.maps, []);
    this.#fillPanels();
    this.load();
  }

  /** Load and draw the case's pixels and maps. */
  async load() {
    const { reading } = this;
    if (!reading) return;
    const { panes, disagreement } = this.#parts;
    const [first] = panes.panes;
    first.tell(h("p", { class: "muted" }, "Loading …"));
    try {
      const [image, maps] = await Promise.all([imageOf(reading), mapsOf(reading)]);
      if (identity(reading) !== identity(this.reading)) return;
      first.tell();
      this.#maps = maps;
      const { boxes } = this.#with.judging.draft;
      panes.show({ reading, image, maps: maps.map(drawable), boxes });
      disagreement.show(reading.maps, maps);
      this.#fillPanels();
    } catch (error) {
      if (reading !== this.reading) return;
      const { message } = /** @type {Error} */ (error);
      first.tell(h("p", {}, `The image could not be loaded: ${message}.`),
        h("button", { type: "button", onclick: () => this.load() }, "Try again"));
    }
  }

  /**
   * @param {Case} reading
   * @param {boolean} mapsVisible
   */
  wasDrawn(reading, mapsVisible) {
    if (mapsVisible) this.#with.attention.mapsDrawn();
    if (this.#drawn || identity(reading) !== identity(this.reading)) return;
    this.#drawn = true;
    this.#parts.root.dataset.drawn = String(reading.id);
    if (performance.getEntriesByName(LEAVE).length) {
      performance.measure("second-look:next-case", LEAVE);
      performance.clearMarks(LEAVE);
    }
    this.updateBlocked();
  }

  /** Say anew whether the case can be signed. */
  updateBlocked() {
    if (this.reading) this.#parts.form.blocked = this.#blocked(this.reading);
  }

  /**
   * Why nothing can be signed now, in words, or null.
   *
   * @param {Case} reading
   */
  #blocked(reading) {
    if (!this.#data.reader.may_sign) return "You may look; verdicts are signed by readers.";
    if (this.#with.signing.busy) return "Signing …";
    if (!reading.prediction) return "There is no prediction to judge yet.";
    if (reading.pending) return "Loading …";
    if (isWaiting(reading)) return "The maps are being made. Wait for them, or cancel.";
    return this.#drawn ? null : "Loading …";
  }

  #fillPanels() {
    const { reading } = this;
    const [data, { top, empty }] = [this.#data, this.#parts];
    top.show(reading, reading?.id === data.current ? data.place : null);
    empty.hidden = Boolean(reading);
    if (reading) this.#fillWith(reading, data);
    else if (data.empty) this.#fillEmpty(data.empty);
  }

  /**
   * @param {Case} reading
   * @param {Desk} data
   */
  #fillWith(reading, data) {
    const { prediction, form, panes, mapPanes } = this.#parts;
    const { judging, toast } = this.#with;
    const labels = data.classes[String(reading.model_id)] ?? [];
    prediction.show(reading, labels, data.recipes);
    form.show(judging.draft, { labels, blocked: this.#blocked(reading) });
    form.showEarlier(reading.verdicts);
    form.signing.prepend(toast.element);
    for (const pane of panes.panes) pane.mark.hidden = !reading.synthetic;
    say(panes.panes[0].aside, reading.facts.join(" · "));
    reading.maps.forEach((map, index) => {
      const pane = mapPanes[index];
      pane.show(reading, map, this.#maps[index] ?? null, data.reader.may_sign);
      pane.judgement = judging.of(map);
    });
  }

  /** @param {Empty} empty */
  #fillEmpty({ title, words, links }) {
    fill(this.#parts.empty, [h("h2", {}, title), h("p", {}, words), h("p", {},
      links.map(({ label, href }) => h("a", { href, target: "_self" }, label))), this.#with.toast.element]);
  }
}
