/** Which case is open, where it stands in the list, and the way to its neighbours. */

import { h, say } from "./dom.js";

export class TopBar {
  /**
   * @param {{ previous: () => void, next: () => void, help: () => void }} commands
   * @param {Element} controls what else stands in the bar
   */
  constructor({ previous, next, help }, controls) {
    this.previous = step("‹", "Previous case", "K", previous);
    this.next = step("›", "Next case, without a verdict", "J", next);
    this.title = h("h1", { "aria-live": "polite" });
    this.position = h("span", { class: "muted" });
    this.tags = h("span", { class: "tags" });
    this.element = h("div", { class: "top" },
      h("nav", { "aria-label": "Cases" }, this.previous, this.title, this.position, this.next),
      this.tags, h("span", { class: "grow" }), controls,
      h("button", { type: "button", class: "help", title: "Keys (?)", "aria-label": "Keys",
        onclick: help }, "?"));
  }

  /**
   * @param {Case | null} opened the case on screen, or null
   * @param {Place | null} place null while it is not known
   */
  show(opened, place) {
    say(this.title, opened ? `Case ${opened.id}` : "Review");
    say(this.position, place?.position ? `${place.position} of ${place.n_total}` : "");
    this.previous.disabled = !place?.previous_id;
    this.next.disabled = !place?.next_id;
    this.tags.replaceChildren(...(opened ? tagsOf(opened) : []));
  }
}

/**
 * @param {string} sign
 * @param {string} words
 * @param {string} key
 * @param {() => void} onclick
 */
function step(sign, words, key, onclick) {
  return h("button", { type: "button", class: "step", title: `${words} (${key})`,
    "aria-label": words, onclick }, sign);
}

/** @param {Case} opened */
function tagsOf({ synthetic, notes }) {
  const tags = [];
  if (synthetic) tags.push(h("span", { class: "tag synthetic" }, "Synthetic"));
  if (notes.length) {
    tags.push(h("span", { class: "tag", tabindex: 0, title: notes.join("\n"),
      "aria-label": `Notes: ${notes.join(" ")}` }, notes.length > 1 ? `${notes.length} notes` : "Note"));
  }
  return tags;
}
