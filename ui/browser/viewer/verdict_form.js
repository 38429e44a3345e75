/** The verdict: opinion, reasons, corrected class, boxes, comment, and the button that signs it. */

import { h, mark, refill, say } from "./dom.js";
import { missing } from "./drafts.js";
import { LabelPicker } from "./label_picker.js";

/** @type {[value: Opinion, key: string][]} */
const OPINIONS = [["accept", "A"], ["modify", "M"], ["reject", "R"], ["cannot_assess", "U"]];

export class VerdictForm {
  #site;
  #changed;
  /** @type {Draft | null} */
  #draft = null;
  /** @type {string | null} */
  #blocked = null;
  /** @type {Draft | null} */
  #standing = null;
  #opinions;
  #reasons;

  /**
   * @param {Site} site
   * @param {() => void} changed called after every change of the draft
   * @param {() => void} sign called to sign
   */
  constructor(site, changed, sign) {
    this.#site = site;
    this.#changed = changed;
    this.#opinions = OPINIONS.map(([value, key]) => h("button", {
      type: "button", role: "radio", "data-value": value, class: `opinion ${value}`,
      onclick: () => this.choose(value),
    }, h("kbd", {}, key), site.opinions[value]));
    this.#reasons = site.reasons.map(({ key, words }, index) => h("button", {
      type: "button", class: "chip", "data-value": key, onclick: () => this.#toggle(key),
    }, h("kbd", {}, index + 1), words));
    this.picker = new LabelPicker("Corrected class", "Corrected class (L)", (label) =>
      this.#set({ corrected: label }));
    this.comment = h("textarea", {
      "aria-label": "Comment", placeholder: "Comment (T)", maxlength: site.max_comment,
      oninput: () => this.#set({ comment: this.comment.value }),
    });
    this.boxes = h("div", { class: "boxes" });
    this.signWord = h("span", {}, "Sign");
    this.signButton = h("button", { type: "button", class: "sign", onclick: sign }, this.signWord,
      h("kbd", {}, "Enter"));
    this.hint = h("p", { class: "hint", role: "status" });
    this.signing = h("div", { class: "signing" }, this.hint, this.signButton);
    this.earlier = h("div", { class: "earlier" });
    this.element = this.#layout();
  }

  /**
   * Show a draft; `blocked` says in words why nothing can be signed, or is null; `standing` is what
   * the reader has signed already, or null.
   *
   * @param {Draft} draft
   * @param {{ labels: string[], blocked: string | null, standing: Draft | null }} state
   */
  show(draft, { labels, blocked, standing }) {
    this.#blocked = blocked;
    this.#standing = standing;
    this.picker.labels = labels;
    this.draft = draft;
  }

  /** @param {Draft} draft */
  set draft(draft) {
    this.#draft = draft;
    this.picker.value = draft.corrected;
    if (this.comment.value !== draft.comment) this.comment.value = draft.comment;
    this.update();
  }

  /**
   * Say which verdict of this reader stands; the others appear on hover and on focus.
   *
   * @param {EarlierVerdict[]} verdicts
   */
  showEarlier(verdicts) {
    const standing = verdicts.find((verdict) => verdict.current);
    const words = standing ? `You signed: ${standing.words}. Signing again supersedes it.`
      : "Your verdict was withdrawn.";
    this.earlier.replaceChildren(...(verdicts.length ? [
      h("span", { tabindex: 0 }, words),
      h("div", { class: "tip", role: "tooltip" }, h("strong", {}, "Your verdicts, newest first"),
        h("ul", {}, verdicts.map(line))),
    ] : []));
  }

  /** @param {string | null} blocked */
  set blocked(blocked) {
    this.#blocked = blocked;
    this.update();
  }

  /** Whether the draft on screen may be signed now. */
  get ready() {
    return this.#draft !== null && !this.#blocked && !this.#missing;
  }

  /** @param {Opinion} opinion */
  choose(opinion) {
    this.#set({ opinion: this.#draft?.opinion === opinion ? null : opinion });
  }

  /**
   * Choose a reason by its number from 1.
   *
   * @param {number} number
   */
  toggleReason(number) {
    const reason = this.#site.reasons[number - 1];
    if (reason && this.#takesReasons) this.#toggle(reason.key);
  }

  update() {
    const draft = this.#draft;
    if (!draft) return;
    for (const button of this.#opinions) mark(button, "aria-checked", button.dataset.value === draft.opinion);
    for (const chip of this.#reasons) {
      mark(chip, "aria-pressed", draft.reasons.includes(chip.dataset.value ?? ""));
      chip.disabled = !this.#takesReasons;
    }
    this.picker.input.disabled = !this.#takesLabel;
    this.#listBoxes(draft.boxes);
    this.signButton.disabled = !this.ready;
    say(this.signWord, this.#standing ? "Amend" : "Sign");
    say(this.hint, this.#blocked ?? this.#missing ?? "");
  }

  get #missing() {
    return this.#draft && missing(this.#draft, this.#site.needs, this.#standing);
  }

  get #takesReasons() {
    const opinion = this.#draft?.opinion ?? null;
    return opinion !== null && opinion !== "accept";
  }

  get #takesLabel() {
    const opinion = this.#draft?.opinion;
    return opinion === "modify" || opinion === "reject";
  }

  /** @param {string} key */
  #toggle(key) {
    const reasons = this.#draft?.reasons ?? [];
    const without = reasons.filter((other) => other !== key);
    this.#set({ reasons: without.length < reasons.length ? without : [...reasons, key] });
  }

  /** @param {Partial<Draft>} change */
  #set(change) {
    const draft = this.#draft;
    if (!draft) return;
    Object.assign(draft, change);
    if (!this.#takesReasons) draft.reasons = [];
    if (!this.#takesLabel) draft.corrected = null;
    if (this.picker.value !== draft.corrected) this.picker.value = draft.corrected;
    this.update();
    this.#changed();
  }

  /** @param {Rectangle[]} boxes */
  #listBoxes(boxes) {
    refill(this.boxes, boxes.map((box, index) => h("button", {
      type: "button", class: "chip", "data-id": `box-${index}`,
      title: `${box.width} × ${box.height} px at ${box.x}, ${box.y}`,
      "aria-label": `Remove box ${index + 1}`,
      onclick: () => this.#set({ boxes: boxes.filter((other) => other !== box) }),
    }, `Box ${index + 1} ×`)));
  }

  #layout() {
    return h("section", { class: "panel verdict", "aria-label": "Verdict" },
      h("header", {}, h("h2", {}, "Your verdict on the prediction"), this.earlier),
      h("div", { class: "opinions", role: "radiogroup", "aria-label": "Verdict" }, this.#opinions),
      h("div", { class: "details" },
        h("div", { class: "left" },
          h("div", { class: "chips", role: "group", "aria-label": "Reasons" }, this.#reasons),
          h("div", { class: "line" }, this.picker.element, this.boxes)),
        this.comment),
      this.signing);
  }
}

/**
 * One verdict on record in one line.
 *
 * @param {EarlierVerdict} verdict
 */
function line({ at, words, said: { corrected, comment }, current }) {
  const said = [words, corrected, comment].filter(Boolean).join(" · ");
  return h("li", { class: current ? "current" : "muted" }, `${at}  ${said}`);
}
