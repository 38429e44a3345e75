/** Window, inversion, fit, boxes, and one pane alone: how the image is shown. */

import { h, mark, say } from "./dom.js";

export class ImageTools {
  #looks;
  #panes;
  #image = null;
  #root = null;

  /**
   * @param looks { window, inverted, tool }, changed in place
   * @param panes drawn again after every change
   */
  constructor(looks, panes) {
    this.#looks = looks;
    this.#panes = panes;
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

  /** Where the classes that change the layout go. */
  set root(root) {
    this.#root = root;
  }

  /** Begin a new image with its own window. */
  show(image) {
    this.#image = image;
    this.reset();
  }

  reset() {
    const [low, high] = this.#image.window;
    Object.assign(this.#looks, { window: { low, high }, inverted: false });
    this.setTool("pan");
    this.#changed();
  }

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

  setTool(tool) {
    this.#looks.tool = tool;
    this.#root.classList.toggle("boxing", tool === "box");
    mark(this.boxButton, "aria-pressed", tool === "box");
  }

  toggleBox() {
    this.setTool(this.#looks.tool === "box" ? "pan" : "box");
  }

  /** Give one pane all the room, or share it among them again. */
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
    const { slope, intercept } = this.#image;
    const { low, high } = this.#looks.window;
    const width = Math.round((high - low) * slope);
    const level = Math.round(((low + high) / 2) * slope + intercept);
    say(this.window, `W ${width}  L ${level}`);
    mark(this.invertButton, "aria-pressed", this.#looks.inverted);
    this.#panes.redraw();
  }
}
