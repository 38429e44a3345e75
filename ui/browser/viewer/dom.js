/**
 * Build an element: `h("button", { class: "key", onclick }, "Accept")`.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Attributes} attributes
 * @param {Child[]} children
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) {
      element.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
    } else if (typeof value === "boolean") element.toggleAttribute(name, value);
    else if (value !== null && value !== undefined) element.setAttribute(name, String(value));
  }
  element.append(...nodes(children));
  return element;
}

/**
 * @param {Child[]} children
 * @returns {(Node | string)[]}
 */
function nodes(children) {
  return children.flatMap((child) => {
    if (child === null || child === undefined) return [];
    if (Array.isArray(child)) return nodes(child);
    return [typeof child === "number" ? String(child) : child];
  });
}

/**
 * Replace an element's text only when it changed, so that screen readers are not disturbed.
 *
 * @param {Element} element
 * @param {string} text
 */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Set a boolean ARIA attribute.
 *
 * @param {Element} element
 * @param {string} attribute
 * @param {boolean} on
 */
export function mark(element, attribute, on) {
  element.setAttribute(attribute, String(on));
}

/**
 * Put a new child list into an element.
 *
 * @param {Element} element
 * @param {Child[]} children
 */
export function fill(element, children) {
  element.replaceChildren(...nodes(children));
}

/**
 * Put a new child list into an element, keeping keyboard focus on the same `data-id`; what shows
 * only while something in it has the focus is marked `refocused` until it has.
 *
 * @param {Element} element
 * @param {Child[]} children
 */
export function refill(element, ...children) {
  const focused = focusedIn(element);
  const id = element.contains(focused) ? focused?.dataset.id : null;
  fill(element, children);
  if (!id) return;
  element.classList.add("refocused");
  /** @type {HTMLElement | null} */ (element.querySelector(`[data-id="${CSS.escape(id)}"]`))?.focus();
  element.classList.remove("refocused");
}

/**
 * What has the focus in the document or shadow tree of an element.
 *
 * @param {Element} element
 */
export function focusedIn(element) {
  const root = /** @type {Document | ShadowRoot} */ (element.getRootNode());
  return /** @type {HTMLElement | null} */ (root.activeElement);
}

/**
 * What draws on a canvas. Every browser has it, so its absence is not worth a branch at each use.
 *
 * @template {HTMLCanvasElement | OffscreenCanvas} Canvas
 * @param {Canvas} canvas
 * @returns {Canvas extends HTMLCanvasElement ? CanvasRenderingContext2D : OffscreenCanvasRenderingContext2D}
 */
export function contextOf(canvas) {
  return /** @type {any} */ (canvas.getContext("2d"));
}
