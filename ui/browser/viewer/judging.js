/** The draft of the verdict on the case on screen: kept at every change, and drawn where it shows. */

import { emptyDraft, keepDraft, loadDraft } from "./drafts.js";

/** @import { Parts } from "./parts.js" */

export class Judging {
  draft = emptyDraft();
  #parts;
  #current;

  /**
   * @param {Parts} parts
   * @param {() => { reader: Account, opened: Case | null }} current who judges what
   */
  constructor(parts, current) {
    this.#parts = parts;
    this.#current = current;
  }

  /** Take up the case on screen where this reader left it. */
  open() {
    const { reader, opened } = this.#current();
    this.draft = opened ? loadDraft(reader, opened) : emptyDraft();
  }

  /** The draft was changed. */
  changed() {
    const { reader, opened } = this.#current();
    if (opened) keepDraft(reader, opened, this.draft);
    this.#parts.panes.boxes = this.draft.boxes;
  }

  /** @param {Rectangle} box */
  addBox(box) {
    this.#parts.tools.setTool("pan");
    this.draft.boxes = [...this.draft.boxes, box];
    this.#parts.form.update();
    this.changed();
  }

  /**
   * Say of a map whether it is plausible, or take it back.
   *
   * @param {number} index of the map's pane
   * @param {Plausibility | null} value
   */
  judge(index, value) {
    const picture = this.#current().opened?.maps[index].picture ?? null;
    if (picture === null) return;
    if (value) this.draft.plausibility[picture] = value;
    else delete this.draft.plausibility[picture];
    this.#parts.mapPanes[index].judgement = value;
    this.#parts.form.update();
    this.changed();
  }

  /**
   * What was said of a map.
   *
   * @param {MapEntry} map
   */
  of({ picture }) {
    return picture === null ? null : this.draft.plausibility[picture] ?? null;
  }
}
