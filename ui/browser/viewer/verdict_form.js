/** The verdict: what is said of the answer and of the reason, and the button that signs it. */

import { h, mark, refill, say } from "./dom.js";
import { FindingRows } from "./finding_rows.js";
import { isSame } from "./drafts.js";
import { LabelPicker } from "./label_picker.js";
import * as rules from "./rules.js";

/** @type {[value: Opinion, key: string][]} */
const OPINIONS = [["accept", "A"], ["modify", "M"], ["reject", "R"], ["cannot_assess", "U"]];
/** @type {[value: Reasoning, key: string][]} */
const REASONINGS = [["sound", "S"], ["unsound", "X"], ["unsure", "Q"]];
/** @type {[name: string, placeholder: string]} */
const CORRECTION = ["Corrected class", "Corrected class (L)"];
/** @type {[name: string, placeholder: string]} */
const ADDITION = ["Another finding", "Another finding (L)"];

const SIGNED = "Signed. Change something to amend it.";
const HALF_TYPED = "A name is half typed: Enter takes the one marked, Esc leaves it out.";

/** @typedef {{ opened: Case, labels: string[], blocked: string | null, standing: Draft | null }} State */

export class VerdictForm {
  #site;
  #changed;
  /** @type {Draft | null} */
  #draft = null;
  /** @type {State | null} */
  #state = null;
  #note = "";
  #opinions;
  #reasonings;
  #reasons;
  #signKey = h("kbd", {}, "Enter");

  /**
   * @param {Site} site
   * @param {() => void} changed called after every change of the draft
   * @param {() => void} sign called to sign
   */
  constructor(site, changed, sign) {
    this.#site = site;
    this.#changed = changed;
    this.#opinions = OPINIONS.map(([value, key]) =>
      radio(value, key, site.opinions[value], () => this.choose(value)));
    this.#reasonings = REASONINGS.map(([value, key]) =>
      radio(value, key, site.reasonings[value], () => this.judge(value)));
    this.#reasons = site.reasons.map((reason, index) => h("button", {
      type: "button", class: "chip", "data-value": reason.key, onclick: () => this.toggleReason(index + 1),
    }, h("kbd", {}, index + 1), reason.words));
    this.rows = new FindingRows(site.calls, {
      say: (label, call) => this.#say(label, call),
      unsay: (label) => this.#set(rules.unsay(this.#said, label)),
    });
    this.picker = new LabelPicker(...CORRECTION, (label) => this.#pick(label));
    for (const kind of ["input", "blur"]) this.picker.input.addEventListener(kind, () => this.update());
    this.comment = h("textarea", {
      "aria-label": "Comment", placeholder: "Comment (T)", maxlength: site.max_comment,
      oninput: () => this.#set({ comment: this.comment.value }),
    });
    this.boxes = h("div", { class: "boxes" });
    this.signWord = h("span", {}, "Sign");
    this.signButton = h("button", { type: "button", class: "sign", onclick: sign }, this.signWord, this.#signKey);
    this.hint = h("p", { class: "hint", role: "status" });
    this.signing = h("div", { class: "signing" }, this.boxes, this.hint, this.signButton);
    this.earlier = h("div", { class: "earlier" });
    this.element = this.#layout();
  }

  /**
   * Show a draft of the verdict on a case.
   *
   * @param {Draft} draft
   * @param {State} state `labels` are the model's classes; `blocked` says in words why nothing can
   *   be signed, or is null; `standing` is what the reader has signed already, or null
   */
  show(draft, state) {
    if (draft !== this.#draft) this.#note = "";
    if (state.opened.prediction?.id !== this.#state?.opened.prediction?.id) this.rows.lettered = false;
    this.#state = state;
    const ofFindings = this.#findings.length > 0;
    this.element.classList.toggle("of-findings", ofFindings);
    this.picker.rename(...(ofFindings ? ADDITION : CORRECTION));
    this.picker.labels = state.labels;
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
    this.earlier.hidden = !verdicts.length;
    this.earlier.replaceChildren(...(verdicts.length ? [
      h("span", { tabindex: 0 }, words),
      h("div", { class: "tip", role: "tooltip" }, h("strong", {}, "Your verdicts, newest first"),
        h("ul", {}, verdicts.map(line))),
    ] : []));
  }

  /** @param {string | null} blocked */
  set blocked(blocked) {
    if (this.#state) this.#state.blocked = blocked;
    this.update();
  }

  /** @param {string} key which signs where the focus is; none where no key is heard */
  set signKey(key) {
    say(this.#signKey, key);
    this.#signKey.hidden = !key;
  }

  /** Whether the draft on screen may be signed now. */
  get ready() {
    return this.#draft !== null && this.#lacks(this.#draft) === null;
  }

  /** @param {Opinion} opinion */
  choose(opinion) {
    this.#set(rules.choose(this.#said, opinion, this.#findings));
  }

  /** @param {Reasoning} reasoning */
  judge(reasoning) {
    if (this.#draft) this.#set(rules.judge(this.#draft, reasoning, this.#site.reasons));
  }

  /**
   * Give a reason by its number from 1, or take it back.
   *
   * @param {number} number
   */
  toggleReason(number) {
    const reason = this.#site.reasons[number - 1];
    if (!reason || !this.#draft || !this.#takes(reason)) return;
    this.#set(rules.toggle(this.#draft, reason, this.#site.reasons));
  }

  update() {
    const draft = this.#draft;
    if (!draft) return;
    for (const button of this.#opinions) mark(button, "aria-checked", button.dataset.value === draft.opinion);
    for (const button of this.#reasonings) mark(button, "aria-checked", button.dataset.value === draft.reasoning);
    this.#reasons.forEach((chip, index) => {
      mark(chip, "aria-pressed", draft.reasons.includes(chip.dataset.value ?? ""));
      chip.disabled = !this.#takes(this.#site.reasons[index]);
    });
    const open = draft.opinion !== "cannot_assess";
    this.rows.show(this.#findings, draft.findings, open);
    this.picker.input.disabled = this.#findings.length ? !open : !rules.takesCorrection(draft.opinion);
    this.#listBoxes(draft.boxes);
    say(this.signWord, this.#state?.standing ? "Amend" : "Sign");
    const lacks = this.#lacks(draft);
    this.signButton.disabled = lacks !== null;
    say(this.hint, lacks ?? (this.#note || this.#counted(draft.findings)));
    this.hint.title = this.hint.textContent ?? "";
  }

  get #findings() {
    return this.#state?.opened.prediction?.findings ?? [];
  }

  get #said() {
    return this.#draft ?? { opinion: null, findings: {} };
  }

  /** @param {Reason} reason */
  #takes({ of }) {
    return of === "reasoning" || rules.takesAnswerReasons(this.#draft?.opinion ?? null);
  }

  /**
   * Why a draft cannot be signed now, in words, or null.
   *
   * @param {Draft} draft
   */
  #lacks(draft) {
    const state = this.#state;
    if (!state) return null;
    if (!state.blocked && this.picker.isHalfTyped) return HALF_TYPED;
    if (!state.blocked && state.standing && isSame(draft, state.standing)) return SIGNED;
    return state.blocked ?? rules.missing(draft, state.opened, this.#site);
  }

  /**
   * How many findings are said to be what, in words; not each of them may be in sight.
   *
   * @param {Draft["findings"]} said
   */
  #counted(said) {
    const calls = Object.values(said);
    return Object.entries(this.#site.calls)
      .map(([call, words]) => [calls.filter((each) => each === call).length, words.toLowerCase()])
      .filter(([n]) => n).map((part) => part.join(" ")).join(", ");
  }

  /**
   * A class or a finding was picked by its name.
   *
   * @param {string | null} label
   */
  #pick(label) {
    if (!this.#findings.length) {
      this.#set({ corrected: label });
      return;
    }
    this.picker.value = null;
    const finding = this.#findings.find((each) => each.label === label);
    if (finding) this.rows.change(finding);
  }

  /**
   * Say something of a finding; where that changes the opinion by itself, the form tells.
   *
   * @param {string} label
   * @param {Call} call
   */
  #say(label, call) {
    const { opinion } = this.#said;
    const answer = rules.say(this.#said, label, call, this.#findings);
    const { opinions, calls } = this.#site;
    const itself = answer.opinion !== null && answer.opinion !== opinion
      && `${opinions[answer.opinion]}: ${label} ${calls[call].toLowerCase()}.`;
    this.#set(answer, itself || "");
  }

  /**
   * @param {Partial<Draft>} change
   * @param {string} [note] what the form says of it
   */
  #set(change, note = "") {
    const draft = this.#draft;
    if (!draft) return;
    Object.assign(draft, change);
    Object.assign(draft, rules.tidied(draft, this.#site.reasons));
    if (this.picker.value !== draft.corrected) this.picker.value = draft.corrected;
    this.#note = note;
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
    const letters = h("span", { class: "legend" }, h("kbd", {}, "E"), "then a letter changes one",
      h("span", { class: "of-model" }, "the model says"));
    return h("section", { class: "panel verdict", "aria-label": "Verdict" },
      this.earlier,
      h("div", { class: "judgements" },
        h("div", { class: "judgement answer-part" },
          h("h2", {}, "Answer ", h("span", {}, "what the model says"), letters),
          h("div", { class: "opinions", role: "radiogroup", "aria-label": "Answer" }, this.#opinions),
          this.rows.element,
          h("div", { class: "chips", role: "group", "aria-label": "What is wrong with the answer" },
            this.#chips("answer")),
          h("div", { class: "line" }, this.picker.element)),
        h("div", { class: "judgement reason-part" },
          h("h2", {}, "Reason ", h("span", {}, "why the model says so")),
          h("div", { class: "reasonings", role: "radiogroup", "aria-label": "Reason" }, this.#reasonings),
          h("div", { class: "chips", role: "group", "aria-label": "What is wrong with the reason" },
            this.#chips("reasoning")),
          this.comment)),
      this.signing);
  }

  /** @param {Reason["of"]} what */
  #chips(what) {
    return this.#reasons.filter((_, index) => this.#site.reasons[index].of === what);
  }
}

/**
 * @param {string} value
 * @param {string} key
 * @param {string} words
 * @param {() => void} onclick
 */
function radio(value, key, words, onclick) {
  return h("button", { type: "button", role: "radio", "data-value": value, class: `opinion ${value}`, onclick },
    h("kbd", {}, key), words);
}

/**
 * One verdict on record in one line.
 *
 * @param {EarlierVerdict} verdict
 */
function line({ at, words, said: { corrected, comment }, current, by_link_of: issuer }) {
  const session = issuer && `signed after coming by a link of ${issuer}`;
  const said = [words, corrected, comment, session].filter(Boolean).join(" · ");
  return h("li", { class: current ? "current" : "muted" }, `${at}  ${said}`);
}
