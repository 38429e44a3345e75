/** Window, inversion, fit, boxes, and one pane alone: how the image is shown. */

import { h, mark, say } from "./dom.js";

/**
 * @import { Pane } from "./pane.js"
 * @import { Panes } from "./panes.js"
 */

export class ImageTools {
  #looks;
  #panes;
  #root;
  /** @type {ImageEntry | null} */
  #image = null;

  /**
   * @param {Looks} looks changed in place
   * @param {Panes} panes drawn again after every change
   * @param {HTMLElement} root where the classes that change the layout go
   */
  constructor(looks, panes, root) {
    this.#root = root;
    this.#looks = looks;
    this.#panes = panes;
    /** @type {(words: string, key: string, onclick: () => void) => HTMLElement} */
    const tool = (words, key, onclick) => h("button", { type: "button", title: `${words} (${key})`,
      onclick }, h("kbd", {}, key), words);
    this.window = h("span", { class: "window",
      title: "Window width and level: drag with the right button or with Shift" });
    this.invertButton = tool("Invert", "I", () => this.invert());
    this.boxButton = tool("Box", "B", () => this.toggleBox());
    panes.panes[0].footer.append(this.window, h("span", { class: "grow" }), this.invertButton,
      tool("Fit", "Z", () => this.fit()), this.boxButton);
    for (const pane of panes.panes) pane.title.addEventListener("dblclick", () => this.solo(pane));
  }

  /**
   * Begin a new image with its own window.
   *
   * @param {ImageEntry} image
   */
  show(image) {
    this.#image = image;
    this.reset();
  }

  reset() {
    if (!this.#image) return;
    const [low, high] = this.#image.window;
    Object.assign(this.#looks, { window: { low, high }, inverted: false });
    this.setTool("pan");
    this.#changed();
  }

  /** @param {GreyWindow} window */
  setWindow(window) {
    this.#looks.window = window;
    this.#changed();
  }

  /** Show all of the image, as it was at first. */
  fit() {
    this.reset();
    this.#panes.fit();
  }

  invert() {
    this.#looks.inverted = !this.#looks.inverted;
    this.#changed();
  }

  /** @param {Looks["tool"]} tool */
  setTool(tool) {
    this.#looks.tool = tool;
    this.#root.classList.toggle("boxing", tool === "box");
    mark(this.boxButton, "aria-pressed", tool === "box");
  }

  toggleBox() {
    this.setTool(this.#looks.tool === "box" ? "pan" : "box");
  }

  /**
   * Give one pane all the room, or share it among them again.
   *
   * @param {Pane} pane
   */
  solo(pane = this.#hovered) {
    if (this.#root.dataset.solo) this.share();
    else this.#root.dataset.solo = pane.element.dataset.pane;
  }

  /** Show all panes. */
  share() {
    delete this.#root.dataset.solo;
  }

  get #hovered() {
    const { panes } = this.#panes;
    return panes.find((pane) => pane.element.matches(":hover")) ?? panes[0];
  }

  #changed() {
    if (!this.#image) return;
    const { slope, intercept } = this.#image;
    const { low, high } = this.#looks.window;
    const width = Math.abs((high - low) * slope); // of inverted values the slope is negative
    const level = ((low + high) / 2) * slope + intercept;
    const digits = width >= 20 ? 0 : Math.min(6, 1 - Math.floor(Math.log10(width || 1)));
    say(this.window, `W ${rounded(width, digits)}  L ${rounded(level, digits)}`);
    mark(this.invertButton, "aria-pressed", this.#looks.inverted);
    this.#panes.redraw();
  }
}

/**
 * @param {number} value
 * @param {number} digits behind the point, where they say something
 */
function rounded(value, digits) {
  return String(Number(value.toFixed(digits)));
}
