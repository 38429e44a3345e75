/** Signing and undoing: one verdict at a time, kept until the server has confirmed it. */

import { forgetDraft, keepDraft, standingOf } from "./drafts.js";
import { keepWaiting, releaseWaiting, settleWaiting } from "./waiting.js";

/**
 * @import { Toast } from "./toast.js"
 * @typedef {{ opened: Case, draft: Draft & { opinion: Opinion } }} Signed
 * @typedef {{ reader: Account, opened: Case, draft: Draft }} Given who signs what
 */

export class Signing {
  #send;
  #toast;
  #opinions;
  /** @type {(Signed & { entry: Waiting }) | null} */
  #pending = null;
  /** @type {(Signed & { verdict_id: number }) | null} */
  #undoable = null;

  /**
   * @param {Act} send puts an action into the outbox
   * @param {Toast} toast where to say what happened
   * @param {Record<Opinion, string>} opinions names of the opinions
   */
  constructor(send, toast, opinions) {
    this.#send = send;
    this.#toast = toast;
    this.#opinions = opinions;
  }

  /** Whether a verdict is on its way; the next one waits for it. */
  get busy() {
    return this.#pending !== null;
  }

  /**
   * Sign a draft on the case on screen.
   *
   * @param {Given} given
   * @param {Pick<VerdictAction, "exposure" | "active_seconds">} report
   * @param {number | null} next_id the case that is shown next, or null
   */
  sign({ reader, opened, draft }, report, next_id) {
    const { opinion } = draft;
    if (!opinion || !opened.prediction) return;
    this.#undoable = null;
    const shown = opened.maps.filter((map) => map.id !== null);
    /** @type {VerdictAction} */
    const action = {
      kind: "verdict", request_id: requestId(), reader_id: reader.id, case_id: opened.id,
      prediction_id: opened.prediction.id, evidence_token: opened.token,
      supersedes_id: standingOf(opened)?.id ?? null,
      explanation_ids: shown.map((map) => map.id),
      opinion, reasons: draft.reasons, corrected_label: draft.corrected,
      findings: draft.findings, reasoning: draft.reasoning,
      plausibility: judged(draft.plausibility, shown), comment: draft.comment, boxes: draft.boxes,
      ...report, next_id,
    };
    const { id, model_id, prediction } = opened;
    const said = { ...structuredClone(draft), opinion };
    const words = `${this.#opinions[opinion]}, case ${id}`;
    const entry = { action, words, draft: said, opened: { id, model_id, prediction }, at: Date.now() };
    this.#pending = { opened, draft: said, entry };
    keepWaiting(entry);
    this.#send(action);
    this.#toast.show(`Signing: ${this.#opinions[opinion]}, case ${opened.id} …`, "busy");
  }

  /** Take the last verdict back; it can be until the next one is signed. */
  undo() {
    if (!this.#undoable || this.#pending) return;
    const { verdict_id, opened } = this.#undoable;
    this.#send({
      kind: "withdraw", request_id: requestId(), verdict_id, case_id: opened.id,
      model_id: opened.model_id,
    });
    this.#toast.show(`Undoing the verdict on case ${opened.id} …`, "busy");
  }

  /**
   * The server has done an action.
   *
   * @param {Action} done the action
   * @param {Reply} reply
   * @param {Account} reader whose drafts they are
   * @returns the case to put back on screen as it was, or null
   */
  settle(done, reply, reader) {
    if (!reply.ok) this.#toast.show(reply.words, "bad");
    if (done.kind === "verdict") return this.#signed(reply, reader);
    if (done.kind === "withdraw" && reply.ok && this.#undoable) {
      const { opened, draft } = this.#undoable;
      this.#undoable = null;
      keepDraft(reader, opened, draft);
      this.#toast.show(`Undone: your verdict on case ${opened.id} is withdrawn.`, "done");
      return opened;
    }
    return null;
  }

  /** What is on its way is left behind. */
  stop() {
    releaseWaiting();
  }

  /** Show again how to undo the last verdict, or nothing. */
  remind() {
    if (this.#pending) return;
    if (!this.#undoable) this.#toast.hide();
    else {
      const { opened, draft } = this.#undoable;
      this.#toast.show(`Signed: ${this.#opinions[draft.opinion]}, case ${opened.id}`, "done",
        ["Undo (Ctrl Z)", () => this.undo()]);
    }
  }

  /**
   * @param {Reply} reply
   * @param {Account} reader
   */
  #signed(reply, reader) {
    if (!this.#pending) return null;
    const { opened, draft, entry } = this.#pending;
    this.#pending = null;
    settleWaiting(entry);
    if (!reply.ok || reply.verdict_id === undefined) return opened;
    forgetDraft(reader, opened);
    this.#undoable = { verdict_id: reply.verdict_id, opened, draft };
    this.remind();
    return null;
  }
}

/**
 * What was said of the maps on screen, by their records; maps that were put away do not count.
 *
 * @param {Draft["plausibility"]} plausibility
 * @param {MadeMap[]} shown
 * @returns {VerdictAction["plausibility"]}
 */
function judged(plausibility, shown) {
  return Object.fromEntries(shown.filter((map) => map.picture in plausibility)
    .map((map) => [map.id, plausibility[map.picture]]));
}

/** 128 random bits; crypto.randomUUID exists on https and loopback only. */
function requestId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
