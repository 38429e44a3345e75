/**
 * What the reader did, on its way to the server: numbered, one at a time, in order.
 *
 * Streamlit keeps only the newest value of a trigger while a run is under way, so the next action
 * leaves when the server has acknowledged the last. One that is not acknowledged is sent again; the
 * server knows its number and does it once.
 */

const RESEND_MS = 8000;

export class Outbox {
  /** @type {Numbered<Action>[]} */
  #waiting = [];
  /** @type {Numbered<Action> | null} */
  #sent = null;
  #timer = 0;
  #seq = 0;
  #deliver;
  #onLate;

  /**
   * @param {(action: Numbered<Action>) => void} deliver sends an action to the server
   * @param {(late: boolean) => void} onLate called with true when an acknowledgement is overdue, with false when it came
   */
  constructor(deliver, onLate) {
    this.#deliver = deliver;
    this.#onLate = onLate;
  }

  get busy() {
    return this.#sent !== null || this.#waiting.length > 0;
  }

  /**
   * Queue an action; returns it with its number.
   *
   * @param {Action} action
   */
  send(action) {
    this.#seq += 1;
    const numbered = { ...action, seq: this.#seq };
    this.#waiting.push(numbered);
    this.#next();
    return numbered;
  }

  /**
   * Take note of the last number the server has done; returns the action that is done, if any.
   *
   * @param {number} seq
   */
  acknowledge(seq) {
    this.#seq = Math.max(this.#seq, seq);
    if (!this.#sent || this.#sent.seq > seq) return null;
    const done = this.#sent;
    this.#sent = null;
    clearTimeout(this.#timer);
    this.#onLate(false);
    this.#next();
    return done;
  }

  /** Send again at once what is not acknowledged: the line stands again. */
  resend() {
    if (!this.#sent) return;
    clearTimeout(this.#timer);
    this.#post(this.#sent);
  }

  stop() {
    clearTimeout(this.#timer);
  }

  #next() {
    if (this.#sent) return;
    this.#sent = this.#waiting.shift() ?? null;
    if (this.#sent) this.#post(this.#sent);
  }

  /** @param {Numbered<Action>} action */
  #post(action) {
    this.#deliver(action);
    this.#timer = setTimeout(() => {
      this.#onLate(true);
      this.#post(action);
    }, RESEND_MS);
  }
}
