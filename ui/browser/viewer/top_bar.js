/** Which case is open, where it stands in the list, and the way to its neighbours. */

import { h, say } from "./dom.js";

export class TopBar {
  /** @param commands { previous, next, help } */
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
   * @param reading the case on screen, or null
   * @param place { position, n_total, previous_id, next_id }, or null while it is not known
   */
  show(reading, place) {
    say(this.title, reading ? `Case ${reading.id}` : "Review");
    say(this.position, place?.position ? `${place.position} of ${place.n_total}` : "");
    this.previous.disabled = !place?.previous_id;
    this.next.disabled = !place?.next_id;
    this.tags.replaceChildren(...(reading ? tagsOf(reading) : []));
  }
}

function step(sign, words, key, onclick) {
  return h("button", { type: "button", class: "step", title: `${words} (${key})`,
    "aria-label": words, onclick }, sign);
}

function tagsOf({ synthetic, notes }) {
  const tags = [];
  if (synthetic) tags.push(h("span", { class: "tag synthetic" }, "Synthetic"));
  if (notes.length) {
    tags.push(h("span", { class: "tag", tabindex: 0, title: notes.join("\n"),
      "aria-label": `Notes: ${notes.join(" ")}` }, notes.length > 1 ? `${notes.length} notes` : "Note"));
  }
  return tags;
}
