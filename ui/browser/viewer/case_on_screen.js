/**
 * Shows a case: loads its pixels and maps, fills the panels, and knows when all has been drawn, for
 * nothing can be signed before.
 */

import { drawable } from "./attribution.js";
import { identity } from "./case.js";
import { fill, focusedIn, h, say } from "./dom.js";
import { isConnected } from "./line.js";
import { isWaiting } from "./notices.js";
import { imageOf, mapsOf } from "./pictures.js";
import { isLeftBehind } from "./waiting.js";

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
  opened = null;
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
   * @param {Case | null} opened
   */
  show(opened) {
    if (identity(opened) !== identity(this.opened)) this.open(opened);
    else {
      this.opened = opened;
      this.#with.judging.refresh();
      this.#fillPanels();
    }
  }

  /** @param {Case | null} opened */
  open(opened) {
    const [before, { root, panes, tools, disagreement }] = [this.opened, this.#parts];
    this.opened = opened;
    this.#drawn = false;
    this.#maps = [];
    this.#with.judging.open();
    delete root.dataset.drawn;
    if (opened?.id === before?.id) panes.dropMaps();
    else {
      panes.clear();
      if (opened) tools.show(opened.image);
    }
    if (opened?.id !== before?.id || opened?.model_id !== before?.model_id) {
      focusedIn(root)?.blur(); // what is typed next is for the next prediction
      this.#with.attention.restart();
    }
    if (opened) disagreement.show(opened.maps, []);
    this.#fillPanels();
    this.load();
  }

  /** Load and draw the case's pixels and maps. */
  async load() {
    const { opened } = this;
    if (!opened) return;
    const { panes, disagreement } = this.#parts;
    const [first] = panes.panes;
    first.tell(h("p", { class: "muted" }, "Loading …"));
    try {
      const [image, maps] = await Promise.all([imageOf(opened), mapsOf(opened)]);
      if (identity(opened) !== identity(this.opened)) return;
      first.tell();
      this.#maps = maps;
      const { boxes } = this.#with.judging.draft;
      panes.show({ opened, image, maps: maps.map(drawable), boxes });
      disagreement.show(opened.maps, maps);
      this.#fillPanels();
    } catch (error) {
      if (opened !== this.opened) return;
      const { message } = /** @type {Error} */ (error);
      first.tell(h("p", {}, `The image could not be loaded: ${message}.`),
        h("button", { type: "button", onclick: () => this.load() }, "Try again"));
    }
  }

  /**
   * @param {Case} opened
   * @param {boolean} mapsVisible
   */
  wasDrawn(opened, mapsVisible) {
    if (mapsVisible) this.#with.attention.mapsDrawn();
    if (this.#drawn || identity(opened) !== identity(this.opened)) return;
    this.#drawn = true;
    this.#parts.root.dataset.drawn = String(opened.id);
    if (performance.getEntriesByName(LEAVE).length) {
      performance.measure("second-look:next-case", LEAVE);
      performance.clearMarks(LEAVE);
    }
    this.updateBlocked();
  }

  /** Say anew whether the case can be signed. */
  updateBlocked() {
    if (this.opened) this.#parts.form.blocked = this.#blocked(this.opened);
  }

  /**
   * Why nothing can be signed now, in words, or null.
   *
   * @param {Case} opened
   */
  #blocked(opened) {
    if (!this.#data.reader.may_sign) return "You may look; verdicts are signed by readers.";
    if (this.#with.signing.busy) return "Signing …";
    if (!isConnected()) return "Offline: nothing can be signed now.";
    if (isLeftBehind(this.#data.reader.id, opened)) return "Your verdict waits to be sent.";
    if (!opened.prediction) return "There is no prediction to judge yet.";
    if (opened.pending) return "Loading …";
    if (isWaiting(opened)) return "The maps are being made. Wait for them, or cancel.";
    return this.#drawn ? null : "Loading …";
  }

  #fillPanels() {
    const { opened } = this;
    const [data, { top, empty }] = [this.#data, this.#parts];
    top.show(opened, opened?.id === data.current ? data.place : null);
    empty.hidden = Boolean(opened);
    if (opened) this.#fillWith(opened, data);
    else if (data.empty) this.#fillEmpty(data.empty);
  }

  /**
   * @param {Case} opened
   * @param {Desk} data
   */
  #fillWith(opened, data) {
    const { prediction, form, panes, mapPanes } = this.#parts;
    const { judging, toast } = this.#with;
    const labels = data.classes[String(opened.model_id)] ?? [];
    prediction.show(opened, labels, data.recipes);
    const { standing } = judging;
    form.show(judging.draft, { opened, labels, blocked: this.#blocked(opened), standing });
    form.showEarlier(opened.verdicts);
    form.signing.prepend(toast.element);
    for (const pane of panes.panes) pane.mark.hidden = !opened.synthetic;
    say(panes.panes[0].aside, opened.facts.join(" · "));
    opened.maps.forEach((map, index) => {
      const pane = mapPanes[index];
      pane.show(opened, map, this.#maps[index] ?? null, data.reader.may_sign);
      pane.judgement = judging.of(map);
    });
  }

  /** @param {Empty} empty */
  #fillEmpty({ title, words, links }) {
    fill(this.#parts.empty, [h("h2", {}, title), h("p", {}, words), h("p", {},
      links.map(({ label, href }) => h("a", { href, target: "_self" }, label))), this.#with.toast.element]);
  }
}
