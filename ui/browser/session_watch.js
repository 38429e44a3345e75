/**
 * Tells the server that somebody is here, warns before a session ends, and leaves the page once it
 * has, so that no image stays up.
 */

const TELL_EVERY_MS = 60_000;
const WARN_SECONDS = 120;
const GONE_MS = 5_000; // a page that is being left is gone by then
const INPUT = /** @type {const} */ (["keydown", "pointerdown", "pointermove", "wheel", "touchmove"]);

/** @typedef {{ signed_in: boolean, seconds?: number, may_stay?: boolean }} Standing */

class SessionWatch {
  #timer;
  #toldAt = 0;
  #pointer = "";
  #leavingAt = -Infinity;
  #warning = document.createElement("aside");
  #words = document.createElement("p");
  #stay = document.createElement("button");

  /** @param {number} everyMs */
  constructor(everyMs) {
    this.#warning.className = "session-warning";
    this.#warning.setAttribute("role", "status");
    this.#warning.hidden = true;
    this.#stay.type = "button";
    this.#stay.textContent = "Stay signed in";
    this.#stay.addEventListener("click", () => this.#ask("POST"));
    this.#warning.append(this.#words, this.#stay);
    document.body.append(this.#warning);
    this.#timer = setInterval(() => this.#ask(), everyMs);
    window.addEventListener("focus", this.#look);
    window.addEventListener("beforeunload", this.#goes);
    for (const name of INPUT) {
      window.addEventListener(name, this.#hear, { capture: true, passive: true });
    }
    this.#ask(); // the session may have ended while the page was on its way
  }

  stop() {
    clearInterval(this.#timer);
    window.removeEventListener("focus", this.#look);
    window.removeEventListener("beforeunload", this.#goes);
    for (const name of INPUT) window.removeEventListener(name, this.#hear, { capture: true });
    this.#warning.remove();
  }

  #look = () => this.#ask();

  /** Whoever goes, as by signing out, arrives where they wanted: the page does not lead elsewhere. */
  #goes = () => {
    this.#leavingAt = performance.now();
  };

  /**
   * A hand at the keys or the pointer. What moves under a pointer at rest moves no pointer, though
   * the browser says so.
   *
   * @param {Event} event
   */
  #hear = (event) => {
    if (!event.isTrusted) return;
    if (event instanceof PointerEvent && event.type === "pointermove") {
      const before = this.#pointer;
      this.#pointer = `${event.screenX} ${event.screenY}`;
      if (!before || before === this.#pointer) return;
    }
    if (performance.now() - this.#toldAt >= TELL_EVERY_MS) this.#ask("POST");
  };

  /** @param {"GET" | "POST"} method POST says that somebody is here */
  async #ask(method = "GET") {
    if (method === "POST") this.#toldAt = performance.now();
    const reply = await fetch("/api/session", { method }).catch(() => null);
    if (!reply?.ok) return;
    /** @type {Standing} */
    const standing = await reply.json();
    if (standing.signed_in) this.#warn(standing);
    else if (performance.now() - this.#leavingAt > GONE_MS) leavePage();
  }

  /** @param {Standing} standing */
  #warn({ seconds = Infinity, may_stay = true }) {
    const isNew = this.#warning.hidden;
    this.#warning.hidden = seconds > WARN_SECONDS;
    if (this.#warning.hidden) return;
    if (isNew && may_stay) this.#toldAt = -Infinity; // whoever moves now stays
    const at = new Date(Date.now() + 1000 * seconds);
    const time = at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false });
    const words = may_stay
      ? `You will be signed out at ${time}, for nobody was active here.`
      : `You will be signed out at ${time}: a session lasts twelve hours. Sign what is ready; the
         rest is kept as a draft.`;
    if (this.#words.textContent !== words) this.#words.textContent = words;
    this.#stay.hidden = !may_stay;
  }
}

function leavePage() {
  window.dispatchEvent(new Event("second-look:session-ended"));
  const here = location.pathname + location.search;
  location.replace(`/sign-in?state=ended&next=${encodeURIComponent(here)}`);
}

/** Sign out, after whatever else is on the page has sent what it still has to. */
async function leave() {
  /** @type {Promise<unknown>[]} */
  const before = [];
  window.dispatchEvent(new CustomEvent("second-look:sign-out", { detail: before }));
  await Promise.allSettled(before);
  window.dispatchEvent(new Event("second-look:session-ended"));
  location.assign("/sign-out");
}

/** @type {WeakMap<Element, SessionWatch>} */
const watches = new WeakMap();

/** @param {StreamlitRun<{ leave: true } | { leave?: undefined, check_every_ms: number }>} run */
export default function watch({ data, parentElement }) {
  if (data.leave) leave();
  else if (!watches.has(parentElement)) {
    watches.set(parentElement, new SessionWatch(data.check_every_ms));
  }
  return () => {
    watches.get(parentElement)?.stop();
    watches.delete(parentElement);
  };
}
