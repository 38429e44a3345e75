/** One line about the draft on screen: from when it is, and what else there is. */

import { fill, h } from "./dom.js";

export class DraftNotice {
  constructor() {
    this.element = h("div", { class: "draft", role: "status" });
  }

  hide() {
    fill(this.element, []);
  }

  /**
   * The draft was left at some time.
   *
   * @param {number} at in milliseconds since 1970
   * @param {number} nGone judgements of maps that cannot be opened any more
   * @param {() => void} discard
   */
  left(at, nGone, discard) {
    const gone = nGone ? ` ${nGone === 1 ? "A judgement of a map that is" : `${nGone} judgements of maps that are`} gone was left out.` : "";
    this.#say(`Draft from ${when(at)}, not signed.${gone}`, ["Discard", discard]);
  }

  /**
   * Another window has another draft.
   *
   * @param {number} at
   * @param {{ use: () => void, keep: () => void }} choices
   */
  offer(at, { use, keep }) {
    this.#say(`Another window saved a draft at ${when(at)}.`, ["Use that", use], ["Keep this", keep]);
  }

  /** @param {string} words why the server does not keep it */
  unsaved(words) {
    this.#say(`The draft is kept in this tab only: ${words}`);
  }

  /**
   * @param {string} words
   * @param {Choice[]} choices
   */
  #say(words, ...choices) {
    fill(this.element, [h("span", { title: words }, words),
      choices.map(([label, onclick]) => h("button", { type: "button", onclick }, label))]);
  }
}

/**
 * A time as the reader's clock has it, with the day if it is another one.
 *
 * @param {number} at
 */
export function when(at) {
  const then = new Date(at);
  const time = then.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  const day = then.toLocaleDateString("en-GB", { day: "numeric", month: "short" });
  return then.toDateString() === new Date().toDateString() ? time : `${day}, ${time}`;
}
