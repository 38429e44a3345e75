/** What the reader has seen of a case, and for how long they were active on it. */

const IDLE_MS = 60_000;
const TICK_MS = 1000;

export class Attention {
  #seconds = 0;
  #sawMaps = false;
  #lastInput = performance.now();
  #lastTick = performance.now();
  #timer = setInterval(() => this.#tick(), TICK_MS);

  constructor() {
    for (const kind of ["pointermove", "pointerdown", "wheel", "keydown"]) {
      window.addEventListener(kind, this.#noticed, { passive: true });
    }
  }

  /** Begin a new case. */
  restart() {
    this.#tick();
    this.#seconds = 0;
    this.#sawMaps = false;
  }

  /** A heatmap was drawn where the reader can see it. */
  mapsDrawn() {
    if (!document.hidden) this.#sawMaps = true;
  }

  /**
   * What goes with a verdict.
   *
   * @returns {Pick<VerdictAction, "exposure" | "active_seconds">}
   */
  get report() {
    this.#tick();
    return {
      exposure: this.#sawMaps ? "explanation" : "prediction",
      active_seconds: Math.round(this.#seconds * 10) / 10,
    };
  }

  stop() {
    clearInterval(this.#timer);
    for (const kind of ["pointermove", "pointerdown", "wheel", "keydown"]) {
      window.removeEventListener(kind, this.#noticed);
    }
  }

  #noticed = () => {
    this.#tick();
    this.#lastInput = performance.now();
  };

  #tick() {
    const now = performance.now();
    const active = !document.hidden && now - this.#lastInput < IDLE_MS;
    if (active) this.#seconds += Math.min(now - this.#lastTick, 2 * TICK_MS) / 1000;
    this.#lastTick = now;
  }
}
