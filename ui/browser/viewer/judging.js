/**
 * The draft of the verdict on the case on screen: kept at every change, offered again where it was
 * left, and drawn where it shows.
 */

import { h } from "./dom.js";
import { DraftNotice } from "./draft_notice.js";
import { DraftSaver } from "./draft_saver.js";
import {
  basisOf, emptyDraft, forgetDraft, isSame, keepDraft, keyOf, loadKept, newest, standingOf, storeKept,
  taken, withoutGone,
} from "./drafts.js";
import { isLeftBehind } from "./waiting.js";

/** @import { Parts } from "./parts.js" */
/** @import { Trouble } from "./draft_saver.js" */

export class Judging {
  draft = emptyDraft();
  #parts;
  #current;
  #key = "";
  #notice = new DraftNotice();
  #saver = new DraftSaver((opened, trouble) => this.#trouble(opened, trouble));

  /**
   * @param {Parts} parts
   * @param {() => { reader: Account, opened: Case | null }} current who judges what
   */
  constructor(parts, current) {
    this.#parts = parts;
    this.#current = current;
    const { earlier } = parts.form;
    const row = h("div", { class: "before" });
    earlier.replaceWith(row);
    row.append(this.#notice.element, earlier);
  }

  /** Whether something was entered that is not signed. */
  get isUnsigned() {
    const { opened } = this.#current();
    return this.#saver.busy || (opened !== null && !isSame(this.draft, basisOf(opened)));
  }

  /** What the reader has signed of the prediction on screen, if it stands. */
  get standing() {
    const { opened } = this.#current();
    return opened && standingOf(opened) ? basisOf(opened) : null;
  }

  /** Take up the case on screen where this reader left it. */
  open() {
    const { reader, opened } = this.#current();
    if (!opened?.prediction) {
      [this.draft, this.#key] = [emptyDraft(), ""];
      this.#notice.hide();
      return;
    }
    const isAnother = this.#key !== keyOf(reader, opened);
    this.#key = keyOf(reader, opened);
    if (isAnother) this.#takeUp(reader, opened);
    else {
      this.#forgetSigned(reader, opened);
      this.draft = loadKept(reader, opened).draft ?? basisOf(opened);
    }
    if (reader.may_sign && !loadKept(reader, opened).saved) this.#saver.save(reader, opened);
  }

  /** What the server says of the case on screen is new: what stands may be another verdict. */
  refresh() {
    const { reader, opened } = this.#current();
    if (!opened) return;
    this.#forgetSigned(reader, opened);
    if (!loadKept(reader, opened).draft && !isSame(this.draft, basisOf(opened))) this.#show();
  }

  /**
   * Read anew what the tab has: a verdict was signed, or came back.
   *
   * @param {Judged} of on what it was given
   */
  reread(of) {
    const { reader } = this.#current();
    if (this.#key !== keyOf(reader, of)) return;
    this.#notice.hide();
    this.#show();
  }

  /** The draft was changed. */
  changed() {
    const { reader, opened } = this.#current();
    if (opened?.prediction) {
      keepDraft(reader, opened, isSame(this.draft, basisOf(opened)) ? null : this.draft);
      if (loadKept(reader, opened).saved) this.#saver.hold(reader, opened);
      else if (reader.may_sign) this.#saver.save(reader, opened);
    }
    this.#parts.panes.boxes = this.draft.boxes;
  }

  /** The draft is being signed. */
  hold() {
    const { reader, opened } = this.#current();
    if (opened) this.#saver.hold(reader, opened);
    this.#notice.hide();
  }

  /** Send at once what the server lacks. */
  flush() {
    this.#saver.flush();
  }

  stop() {
    this.#saver.stop();
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

  /**
   * @param {Account} reader
   * @param {Case} opened
   */
  #takeUp(reader, opened) {
    this.#notice.hide();
    const { kept, other } = newest(loadKept(reader, opened), opened.draft);
    const isLeft = kept.draft !== null && !isSame(kept.draft, basisOf(opened));
    storeKept(reader, opened, isLeft ? kept : { ...kept, draft: null });
    if (!isLeft || !kept.draft) {
      this.draft = basisOf(opened);
      return;
    }
    const { draft, nGone } = withoutGone(kept.draft, opened.pictures);
    this.draft = draft;
    if (nGone) keepDraft(reader, opened, draft);
    if (other) this.#offer(other);
    else if (!isLeftBehind(reader.id, opened)) this.#notice.left(kept.at, nGone, () => this.#discard());
  }

  /**
   * A draft of what stands is none any more: it was signed, here or in another window.
   *
   * @param {Account} reader
   * @param {Case} opened
   */
  #forgetSigned(reader, opened) {
    const { draft } = loadKept(reader, opened);
    if (!draft || !isSame(draft, basisOf(opened))) return;
    forgetDraft(reader, opened);
    this.#notice.hide();
  }

  /**
   * Offer the draft of another window beside the one on screen.
   *
   * @param {ServerDraft} other
   */
  #offer(other) {
    const { reader, opened } = this.#current();
    if (!opened) return;
    /** @type {(kept: Kept) => void} */
    const choose = (kept) => {
      storeKept(reader, opened, kept);
      this.#notice.hide();
      this.#show();
      if (!kept.saved) this.#saver.save(reader, opened);
    };
    this.#notice.offer(Date.parse(other.at), {
      use: () => choose(taken(other)),
      keep: () => choose({ ...loadKept(reader, opened), base: other.at, saved: false }),
    });
  }

  #discard() {
    const { reader, opened } = this.#current();
    if (!opened) return;
    keepDraft(reader, opened, null);
    this.#notice.hide();
    this.#show();
    this.#saver.save(reader, opened);
    this.#saver.flush();
  }

  /**
   * @param {Judged} opened
   * @param {Trouble} trouble
   */
  #trouble(opened, trouble) {
    const { reader, opened: shown } = this.#current();
    if (!shown || keyOf(reader, opened) !== keyOf(reader, shown)) return;
    if ("words" in trouble) this.#notice.unsaved(trouble.words);
    else if (trouble.newer) this.#offer(trouble.newer);
  }

  /** Show what the tab has. */
  #show() {
    const { reader, opened } = this.#current();
    if (!opened) return;
    this.draft = loadKept(reader, opened).draft ?? basisOf(opened);
    this.#parts.form.draft = this.draft;
    this.#parts.panes.boxes = this.draft.boxes;
    opened.maps.forEach((map, index) => { this.#parts.mapPanes[index].judgement = this.of(map); });
  }
}
