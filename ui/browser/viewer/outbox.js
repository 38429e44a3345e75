/**
 * What the reader did, on its way to the server: numbered, one at a time, in order.
 *
 * Streamlit keeps only the newest value of a trigger while a run is under way, so the next action
 * leaves when the server has acknowledged the last. One that is not acknowledged is sent again; the
 * server knows its number and does it once.
 */

const RESEND_MS = 8000;

export class Outbox {
  #waiting = [];
  #sent = null;
  #timer = null;
  #seq = 0;
  #deliver;
  #onLate;

  /**
   * @param deliver sends an action to the server
   * @param onLate called with true when an acknowledgement is overdue, with false when it came
   */
  constructor(deliver, onLate) {
    this.#deliver = deliver;
    this.#onLate = onLate;
  }

  get busy() {
    return this.#sent !== null || this.#waiting.length > 0;
  }

  /** Queue an action; returns it with its number. */
  send(action) {
    this.#seq += 1;
    const numbered = { ...action, seq: this.#seq };
    this.#waiting.push(numbered);
    this.#next();
    return numbered;
  }

  /** Take note of the last number the server has done; returns the action that is done, if any. */
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

  stop() {
    clearTimeout(this.#timer);
  }

  #next() {
    if (this.#sent || !this.#waiting.length) return;
    this.#sent = this.#waiting.shift();
    this.#post();
  }

  #post() {
    this.#deliver(this.#sent);
    this.#timer = setTimeout(() => {
      this.#onLate(true);
      this.#post();
    }, RESEND_MS);
  }
}
