/** One pane: its title, canvas, corner read-outs, notice and footer. What is drawn is Panes' work. */

import { fill, h, say } from "./dom.js";
import { signed, number, share } from "./numbers.js";

export class Pane {
  /**
   * @param {string} name
   * @param {number} index
   */
  constructor(name, index) {
    this.name = name;
    this.canvas = h("canvas", { tabindex: 0, role: "img", "aria-label": name });
    this.aside = h("span", { class: "aside" });
    this.notice = h("div", { class: "notice", hidden: true });
    this.readout = h("div", { class: "readout" });
    this.mark = h("div", { class: "watermark", hidden: true }, "Synthetic");
    this.stage = h("div", { class: "stage" }, this.canvas, this.mark, this.readout, this.notice);
    this.footer = h("footer");
    this.heading = h("h2", {}, name);
    this.title = h("header", {}, this.heading, this.aside);
    this.warning = h("p", { class: "warning", hidden: true });
    this.element = h("section", { class: "pane", "aria-label": name, "data-pane": index },
      this.title, this.warning, this.stage, this.footer);
  }

  /**
   * Name the pane anew for those who cannot see it.
   *
   * @param {string} name
   */
  rename(name) {
    this.name = name;
    this.element.setAttribute("aria-label", name);
    this.canvas.setAttribute("aria-label", name);
  }

  /**
   * Say above the picture what must be known to read it, or nothing.
   *
   * @param {string} words
   */
  warn(words) {
    this.warning.hidden = !words;
    this.warning.title = words;
    say(this.warning, words);
  }

  /**
   * Say something in place of a map: words and buttons, or nothing.
   *
   * @param {Child[]} children
   */
  tell(...children) {
    this.notice.hidden = !children.length;
    fill(this.notice, children);
  }

  /** @param {string | null} text */
  read(text) {
    this.readout.hidden = !text;
    say(this.readout, text ?? "");
  }

  /**
   * @param {Point} point
   * @param {number[]} values
   * @param {ImageEntry} image
   */
  readPixel({ x, y }, values, { slope, intercept, unit }) {
    const physical = values.map((value) => number(slope * value + intercept)).join(" / ");
    this.read(`x ${Math.floor(x)}  y ${Math.floor(y)}   ${physical}${unit ? ` ${unit}` : ""}`);
  }

  /**
   * @param {number | null} value
   * @param {number} limit
   */
  readMap(value, limit) {
    if (value === null) this.read("outside what the model saw");
    else this.read(`${signed(value)}   ${share(value / limit)} of the limit`);
  }
}
