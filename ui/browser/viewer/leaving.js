/** Asks before the page is left while something is unsigned, and sends the server what it lacks. */

/** @import { Judging } from "./judging.js" */

export class Leaving {
  #judging;

  /** @param {Judging} judging */
  constructor(judging) {
    this.#judging = judging;
    window.addEventListener("beforeunload", this.#ask);
    window.addEventListener("pagehide", this.#flush);
    document.addEventListener("visibilitychange", this.#flush);
    window.addEventListener("second-look:session-ended", this.#letGo);
  }

  stop() {
    this.#letGo();
    window.removeEventListener("pagehide", this.#flush);
    document.removeEventListener("visibilitychange", this.#flush);
    window.removeEventListener("second-look:session-ended", this.#letGo);
  }

  /** @param {BeforeUnloadEvent} event */
  #ask = (event) => {
    if (!this.#judging.isUnsigned) return;
    this.#judging.flush();
    event.preventDefault();
  };

  #flush = () => this.#judging.flush();

  /** Once the session has ended, no image stays on screen while somebody is asked. */
  #letGo = () => window.removeEventListener("beforeunload", this.#ask);
}
