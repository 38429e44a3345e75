/**
 * A quiet line over every page: that the line to the server is down, what waits to be sent, and what
 * became of it. It never takes the focus.
 */

import { fill, h } from "./dom.js";
import { draftsSent } from "./draft_saver.js";
import { forgetDrafts } from "./drafts.js";
import { isConnected, isOver, watchLine } from "./line.js";
import { isPageNeeded } from "./storage.js";
import { leftBehind, news, sendWaiting, waitingOf } from "./waiting.js";

const RETRY_MS = 5000;
const STREAMLITS = "CLIENT_ERROR_DIALOG"; // what its window would have said (`ui.http.host`)
const LOST = "Connection error";

/** What the reader's screen has to say to the banner. */
export const screen = {
  /** Whether it is there: what is entered on it is kept. */
  isOpen: false,
  /** A key that signs was pressed without a line. */
  refuse: () => {},
};

class LineBanner {
  readerId = 0;
  #refused = false;
  /** @type {string | null} */
  #trouble = null;
  /** @type {{ entry: Waiting, reply: Reply }[]} */
  #answers = [];
  #timer = 0;
  #line = h("p", { role: "status" });
  #told = h("div", { role: "status" });
  #element = h("aside", { class: "line-banner" }, this.#line, this.#told);

  constructor() {
    screen.refuse = () => { this.#refused = true; this.#draw(); };
    watchLine(() => { this.#refused = false; this.#look(); });
    news.addEventListener("changed", () => this.#look());
    news.addEventListener("answered", (event) => {
      this.#answers.push(/** @type {CustomEvent} */ (event).detail);
      this.#draw();
    });
    window.addEventListener("message", (event) => this.#hear(event));
    window.addEventListener("beforeunload", this.#ask);
    window.addEventListener("second-look:session-ended", () =>
      window.removeEventListener("beforeunload", this.#ask));
    window.addEventListener("second-look:sign-out", (event) =>
      /** @type {CustomEvent<Promise<unknown>[]>} */ (event).detail.push(this.#signOut()));
    document.body.append(this.#element);
  }

  /** @param {number} readerId who is signed in */
  show(readerId) {
    if (readerId !== this.readerId) this.#answers = [];
    this.readerId = readerId;
    this.#look();
  }

  /** Send what waits, and go on trying. */
  async #look() {
    this.#draw();
    clearTimeout(this.#timer);
    if (!isConnected() || !leftBehind(this.readerId).length) return;
    await sendWaiting(this.readerId);
    this.#draw();
    clearTimeout(this.#timer);
    if (leftBehind(this.readerId).length) this.#timer = setTimeout(() => this.#look(), RETRY_MS);
  }

  /** @param {BeforeUnloadEvent} event */
  #ask = (event) => {
    if (waitingOf(this.readerId).length) event.preventDefault();
  };

  /** Send what can be; drafts are with the server then, and leave this tab. */
  async #signOut() {
    await Promise.all([sendWaiting(this.readerId), draftsSent()]);
    forgetDrafts();
  }

  /** @param {MessageEvent} event */
  #hear({ source, data }) {
    if (source !== window || data?.type !== STREAMLITS || data.error === LOST) return;
    this.#trouble = `${data.error}. ${data.message ?? ""}`;
    this.#draw();
  }

  #draw() {
    const words = [this.#lineWords(), this.#waitingWords()].filter(Boolean).join(" ");
    if (this.#line.textContent !== words) this.#line.textContent = words;
    fill(this.#told, [
      this.#trouble && note(this.#trouble, () => { this.#trouble = null; this.#draw(); }),
      this.#answers.map((answer) => note(becameOf(answer), () => {
        this.#answers = this.#answers.filter((other) => other !== answer);
        this.#draw();
      })),
    ]);
    this.#element.classList.toggle("quiet", !words && !this.#told.childElementCount);
  }

  #lineWords() {
    if (isConnected()) return "";
    if (isOver()) return "The connection has ended. Reload the page.";
    const lost = isPageNeeded()
      ? "Keep this page open: the browser refuses to store what you entered." : "Nothing is lost;";
    const refused = this.#refused ? "Nothing was signed. " : "";
    if (!screen.isOpen) return "Offline. Trying again.";
    return `Offline. ${refused}${lost} ${isPageNeeded() ? "Trying" : "trying"} again.`;
  }

  #waitingWords() {
    const { length } = isConnected() ? leftBehind(this.readerId) : waitingOf(this.readerId);
    return length ? `${length} ${length === 1 ? "verdict" : "verdicts"} waiting to be sent.` : "";
  }
}

/**
 * What became of a verdict that had waited.
 *
 * @param {{ entry: Waiting, reply: Reply }} answer
 */
function becameOf({ entry, reply }) {
  if (reply.ok) return `Signed: ${entry.words}, which had waited to be sent.`;
  const { id, model_id } = entry.opened;
  const href = `/review?case=${id}${model_id === null ? "" : `&model=${model_id}`}`;
  return [`Not signed: ${entry.words}. ${reply.words} It is kept as a draft. `,
    h("a", { href, target: "_self" }, `Case ${id}`)];
}

/**
 * @param {Child} words
 * @param {() => void} close
 */
function note(words, close) {
  return h("p", {}, words, h("button", { type: "button", "aria-label": "Close", onclick: close }, "×"));
}

/** @type {LineBanner | null} */
let banner = null;

/** @param {StreamlitRun<{ reader_id: number }>} run */
export default function draw({ data }) {
  banner ??= new LineBanner(); // one for as long as the page is there, whatever is drawn on it
  banner.show(data.reader_id);
}
