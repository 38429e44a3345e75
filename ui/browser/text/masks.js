/** A picture in which text is suspected: boxes are drawn, moved and sized by mouse and keys. */

const SVG = "http://www.w3.org/2000/svg";
const SMALLEST_PX = 4;
const STEPS = 100; // an arrow key moves a box by this part of the picture
const CORNER = 0.012; // of the picture's longer side: a handle
/** @type {Record<string, [number, number]>} */
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const HINT = "Drag on the picture: a new box. Tab: the next box. Arrows: move it, with Shift: size it, with Ctrl: "
  + "by one pixel. Delete: take it away. N: a new box. W: all values. Z: full size.";
/** @type {WeakMap<Element, Masks>} */
const screens = new WeakMap();

/**
 * Return a box within a picture: whole pixels, nothing outside, never smaller than can be seen.
 *
 * @param {Box} box
 * @param {{ width: number, height: number }} picture
 * @returns {Box}
 */
export function within([x, y, width, height], picture) {
  const wide = Math.min(Math.max(Math.round(width), SMALLEST_PX), picture.width);
  const high = Math.min(Math.max(Math.round(height), SMALLEST_PX), picture.height);
  const left = Math.min(Math.max(Math.round(x), 0), picture.width - wide);
  const top = Math.min(Math.max(Math.round(y), 0), picture.height - high);
  return [left, top, wide, high];
}

/**
 * Return the box between two points, within a picture.
 *
 * @param {{ x: number, y: number }} one
 * @param {{ x: number, y: number }} other
 * @param {{ width: number, height: number }} picture
 */
export function between(one, other, picture) {
  const [left, right] = [one.x, other.x].map((x) => Math.min(Math.max(x, 0), picture.width)).sort((a, b) => a - b);
  const [top, bottom] = [one.y, other.y].map((y) => Math.min(Math.max(y, 0), picture.height)).sort((a, b) => a - b);
  return within([left, top, right - left, bottom - top], picture);
}

/**
 * Return a box as an arrow key changes it; null for any other key.
 *
 * @param {Box} box
 * @param {{ key: string, shiftKey: boolean, ctrlKey: boolean }} event
 * @param {{ width: number, height: number }} picture
 */
export function nudged([x, y, width, height], { key, shiftKey, ctrlKey }, picture) {
  const arrow = ARROWS[key];
  if (!arrow) return null;
  const step = ctrlKey ? 1 : Math.max(1, Math.round(Math.max(picture.width, picture.height) / STEPS));
  const [across, down] = arrow.map((each) => each * step);
  if (!shiftKey) return within([x + across, y + down, width, height], picture);
  const wide = Math.min(width + across, picture.width - x);
  const high = Math.min(height + down, picture.height - y);
  return within([x, y, wide, high], picture);
}

/**
 * @param {string} tag
 * @param {Record<string, string | number | boolean>} attributes
 * @param {(Node | string)[]} children
 */
function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false) element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children);
  return element;
}

/**
 * @param {string} tag
 * @param {Record<string, string | number>} attributes
 */
function svg(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  return element;
}

class Masks {
  /** @type {TextCase | null} */
  #case = null;
  /** @type {Box[]} */
  #boxes = [];
  /** @type {number | null} */
  #chosen = null;
  /** @type {"release" | "mask" | null} */
  #asking = null;
  #whole = false;
  #sent = false;
  /** @type {{ index: number, at: { x: number, y: number }, box: Box, how: "move" | "size" } | null} */
  #drag = null;
  /** Hands a decision to the server. */
  act = /** @type {(action: TextAction) => void} */ (() => {});
  #picture = h("img", { alt: "The picture of the case", draggable: "false" });
  #layer = svg("svg", { class: "layer", role: "group", "aria-label": "Boxes" });
  #stage = h("div", { class: "stage" }, h("div", { class: "sheet" }, this.#picture, this.#layer));
  #bar = h("div", { class: "bar", role: "toolbar", "aria-label": "Boxes and decision" });
  #says = h("p", { class: "says", role: "status" });
  #root = h("section", { class: "text-masks", "aria-label": "Picture and boxes" },
    this.#says, this.#bar, this.#stage, h("p", { class: "hint" }, HINT));

  /** @param {Element} parent */
  constructor(parent) {
    parent.append(this.#root);
    this.#root.addEventListener("keydown", (event) => this.#key(event));
    this.#layer.addEventListener("pointerdown", (event) => this.#press(event));
    this.#layer.addEventListener("pointermove", (event) => this.#move(event));
    this.#layer.addEventListener("pointerup", () => { this.#drag = null; });
    this.#layer.addEventListener("focusin", (event) => {
      const index = Number(/** @type {Element} */ (event.target).getAttribute("data-index"));
      if (index !== this.#chosen) {
        this.#chosen = index;
        this.#draw();
      }
    });
  }

  /** @param {TextCase} shown */
  show(shown) {
    const same = this.#case?.id === shown.id && this.#case.image === shown.image && this.#case.open === shown.open;
    this.#case = shown;
    if (!same) {
      this.#boxes = shown.judged ? [] : shown.proposed.map((box) => within(box, shown));
      this.#chosen = this.#asking = this.#drag = null;
      this.#whole = false;
    }
    this.#sent = false;
    this.#layer.setAttribute("viewBox", `0 0 ${shown.width} ${shown.height}`);
    this.#root.style.setProperty("--wide", String(shown.width));
    this.#root.style.setProperty("--high", String(shown.height));
    this.#draw();
  }

  /** @param {number | string | null} focused a box by its index, or a button by its key */
  #draw(focused = this.#focused()) {
    const shown = /** @type {TextCase} */ (this.#case);
    const address = `/api/text/${shown.id}?image=${shown.image}${this.#whole ? "&range=all" : ""}`;
    if (this.#picture.getAttribute("src") !== address) this.#picture.setAttribute("src", address);
    this.#says.textContent = sayings(shown, this.#boxes.length);
    this.#layer.replaceChildren(...shown.masks.map((box) => rectangle(box, { class: "masked" })),
      ...this.#boxes.flatMap((box, index) => this.#drawn(box, index)));
    this.#bar.replaceChildren(...this.#buttons(shown));
    if (typeof focused === "number") this.#focusBox(focused);
    else if (focused) /** @type {HTMLElement | null} */ (this.#bar.querySelector(`[data-key="${focused}"]`))?.focus();
  }

  /** Return what has the focus: a box by its index, a button by its key. */
  #focused() {
    const root = /** @type {Document | ShadowRoot} */ (this.#root.getRootNode());
    const active = root.activeElement;
    if (active && this.#layer.contains(active)) return Number(active.getAttribute("data-index"));
    return active && this.#bar.contains(active) ? active.getAttribute("data-key") : null;
  }

  /** @param {number} index */
  #focusBox(index) {
    /** @type {SVGElement | null} */ (this.#layer.querySelector(`[data-index="${index}"]`))?.focus();
  }

  /**
   * @param {Box} box
   * @param {number} index
   */
  #drawn(box, index) {
    const [x, y, width, height] = box;
    const words = `Box ${index + 1} of ${this.#boxes.length}: ${width} × ${height} pixels at ${x}, ${y}`;
    const chosen = index === this.#chosen;
    const area = rectangle(box, {
      class: chosen ? "box chosen" : "box", "data-index": index, tabindex: 0, role: "img", "aria-label": words,
    });
    if (!chosen) return [area];
    const shown = /** @type {TextCase} */ (this.#case);
    const side = Math.max(shown.width, shown.height) * CORNER;
    return [area, svg("rect", {
      class: "corner", "data-corner": index, x: x + width - side / 2, y: y + height - side / 2, width: side, height: side,
    })];
  }

  /** @param {TextCase} shown */
  #buttons(shown) {
    const n = this.#boxes.length;
    const parts = n === 1 ? "1 part" : `${n} parts`;
    if (this.#asking) {
      const masks = this.#asking === "mask";
      const question = masks
        ? `Black out ${parts} for good? The picture as it came is removed, and the models look again.`
        : "Let it pass as it is? You have seen no text in it that names anybody.";
      return [h("strong", {}, question),
        this.#button("yes", masks ? `Black out ${parts}` : "Let it pass", () => this.#send(), "primary"),
        this.#button("back", "Back", () => this.#ask(null))];
    }
    const stays = shown.judged || this.#sent;
    return [
      this.#button("mask", `Black out ${parts}…`, () => this.#ask("mask"), "primary", stays || n === 0),
      this.#button("release", "No text that names anybody…", () => this.#ask("release"), "", this.#sent || !shown.open),
      h("span", { class: "grow" }),
      this.#button("add", "New box", () => this.#add(), "", stays),
      this.#button("remove", "Take away", () => this.#remove(), "", stays || this.#chosen === null),
      this.#button("whole", "All values", () => this.#toggleWhole(), this.#whole ? "on" : ""),
      this.#button("zoom", "Full size", () => this.#zoom(), this.#stage.classList.contains("full") ? "on" : ""),
    ];
  }

  /**
   * @param {string} key
   * @param {string} words
   * @param {() => void} press
   */
  #button(key, words, press, kind = "", disabled = false) {
    const button = h("button", { type: "button", class: kind, "data-key": key, disabled }, words);
    if (kind === "on") button.setAttribute("aria-pressed", "true");
    button.addEventListener("click", press);
    return button;
  }

  /** @param {"release" | "mask" | null} kind */
  #ask(kind) {
    this.#asking = kind;
    const asked = this.#focused();
    this.#draw(kind ? "back" : asked === "back" ? "mask" : asked);
  }

  #send() {
    const shown = /** @type {TextCase} */ (this.#case);
    const kind = /** @type {"release" | "mask"} */ (this.#asking);
    this.#asking = null;
    this.#sent = true;
    this.#draw();
    this.act({ kind, case_id: shown.id, image: shown.image, masks: kind === "mask" ? this.#boxes : [] });
  }

  #add() {
    const shown = /** @type {TextCase} */ (this.#case);
    if (shown.judged || this.#asking) return;
    const [width, height] = [shown.width / 4, shown.height / 12];
    const middle = /** @type {Box} */ ([(shown.width - width) / 2, (shown.height - height) / 2, width, height]);
    this.#chosen = this.#boxes.push(within(middle, shown)) - 1;
    this.#draw(this.#chosen);
  }

  #remove() {
    if (this.#chosen === null || this.#asking) return;
    this.#boxes.splice(this.#chosen, 1);
    this.#chosen = this.#boxes.length ? Math.min(this.#chosen, this.#boxes.length - 1) : null;
    this.#draw(this.#chosen ?? "add");
  }

  #toggleWhole() {
    this.#whole = !this.#whole;
    this.#draw();
  }

  #zoom() {
    this.#stage.classList.toggle("full");
    this.#draw();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.altKey || event.metaKey) return;
    /** @type {Record<string, () => void>} */
    const keys = {
      Delete: () => this.#remove(), Backspace: () => this.#remove(), n: () => this.#add(),
      w: () => this.#toggleWhole(), z: () => this.#zoom(), Escape: () => this.#ask(null),
    };
    const box = this.#chosen !== null && !this.#asking && typeof this.#focused() === "number"
      ? nudged(this.#boxes[this.#chosen], event, /** @type {TextCase} */ (this.#case)) : null;
    if (box) this.#boxes[/** @type {number} */ (this.#chosen)] = box;
    else if (event.ctrlKey || !keys[event.key]) return;
    event.preventDefault();
    if (box) this.#draw();
    else keys[event.key]();
  }

  /** @param {PointerEvent} event */
  #press(event) {
    const shown = /** @type {TextCase} */ (this.#case);
    if (shown.judged || this.#asking || event.button !== 0) return;
    event.preventDefault();
    const target = /** @type {Element} */ (event.target);
    const at = this.#place(event);
    const corner = target.getAttribute("data-corner");
    const index = corner ?? target.getAttribute("data-index");
    if (index === null) {
      this.#chosen = this.#boxes.push(between(at, at, shown)) - 1;
      this.#drag = { index: this.#chosen, at, box: this.#boxes[this.#chosen], how: "size" };
    } else {
      this.#chosen = Number(index);
      const box = this.#boxes[this.#chosen];
      this.#drag = { index: this.#chosen, at: corner ? { x: box[0], y: box[1] } : at, box, how: corner ? "size" : "move" };
    }
    this.#layer.setPointerCapture(event.pointerId);
    this.#draw(this.#chosen);
  }

  /** @param {PointerEvent} event */
  #move(event) {
    if (!this.#drag) return;
    const shown = /** @type {TextCase} */ (this.#case);
    const { index, at, box: [x, y, width, height], how } = this.#drag;
    const here = this.#place(event);
    this.#boxes[index] = how === "size" ? between(at, here, shown)
      : within([x + here.x - at.x, y + here.y - at.y, width, height], shown);
    this.#draw();
  }

  /** @param {PointerEvent} event */
  #place(event) {
    const shown = /** @type {TextCase} */ (this.#case);
    const sheet = this.#layer.getBoundingClientRect();
    return {
      x: ((event.clientX - sheet.left) * shown.width) / sheet.width,
      y: ((event.clientY - sheet.top) * shown.height) / sheet.height,
    };
  }
}

/**
 * @param {Box} box
 * @param {Record<string, string | number>} attributes
 */
function rectangle([x, y, width, height], attributes) {
  return svg("rect", { ...attributes, x, y, width, height });
}

/**
 * Return where the case stands, and what is proposed.
 *
 * @param {TextCase} shown
 * @param {number} n
 */
export function sayings(shown, n) {
  const about = `Case ${shown.id}`;
  if (shown.judged) return `${about} was judged: its picture stays as it was shown.`;
  const state = shown.held ? "is held back until you decide" : "is open to readers";
  const why = shown.open && shown.why.length ? ` Suspected: ${shown.why.join("; ")}.` : "";
  const boxes = n ? ` ${n === 1 ? "1 box" : `${n} boxes`} to black out: check each, and look for more.` : " No box is drawn.";
  return `${about} ${state}.${why}${boxes}`;
}

/** @param {StreamlitRun<TextCase>} run */
export default function draw({ data, parentElement, setTriggerValue }) {
  const screen = screens.get(parentElement) ?? new Masks(parentElement);
  screens.set(parentElement, screen);
  screen.act = (action) => setTriggerValue("act", action);
  screen.show(data);
}
