/** Where the focus is: with the reader, outside it, or taken by something modal that stands over all. */

import { isConnected } from "./line.js";

/** Our help, and Streamlit's windows, some of which have only the role. */
const MODAL = "dialog[open], [role=dialog], [role=alertdialog], [aria-modal=true]";
const CHANGES = { subtree: true, childList: true, attributeFilter: ["inert"] };

/**
 * Whether anything modal is open, on the page or in the reader.
 *
 * @param {Element} root the reader's
 */
function isCovered(root) {
  return Boolean(document.querySelector(MODAL) ?? root.querySelector(MODAL));
}

/**
 * What holds the reader in the page: the host of its shadow tree, or itself.
 *
 * @param {Element} root the reader's
 * @returns {Element}
 */
function hostOf(root) {
  return /** @type {ShadowRoot} */ (root.getRootNode()).host ?? root;
}

/**
 * Whether an element is around the reader, as the page's body is; what has no focus leaves it there.
 *
 * @param {Element | null} element
 * @param {Element} root the reader's
 */
function isAround(element, root) {
  return Boolean(element?.contains?.(hostOf(root)));
}

/**
 * Whether a key is meant for the reader: the line is up, nothing modal is open, and the focus is in
 * the reader or nowhere. Otherwise what is typed would become commands, and a verdict. Escape, which
 * leaves a field and enters nothing, needs no line.
 *
 * @param {Event} event
 * @param {Element} root the reader's
 */
export function isMeant(event, root) {
  const leaves = /** @type {KeyboardEvent} */ (event).key === "Escape";
  if (!(isConnected() || leaves) || isCovered(root)) return false;
  const path = event.composedPath();
  return path.includes(root) || isAround(/** @type {Element} */ (path[0]), root);
}

/**
 * Let go of the link that led here, so that the keys are heard at once.
 *
 * @param {Element} root the reader's
 */
export function leaveLink(root) {
  const link = /** @type {HTMLElement | null} */ (document.activeElement);
  if (link?.matches("a, button") && !isCovered(root)) link.blur();
}

/** Gives the focus back to the field that it was in before something modal took it. */
export class FocusKeeper {
  #root;
  #onScreen;
  /** @type {{ field: HTMLElement, of: unknown } | null} */
  #left = null;
  #wasCovered = false;
  #watch = new MutationObserver(() => this.#look());

  /**
   * @param {HTMLElement} root the reader's
   * @param {() => unknown} onScreen which case is; the field of another one is not gone back to
   */
  constructor(root, onScreen) {
    this.#root = root;
    this.#onScreen = onScreen;
    root.addEventListener("focusout", this.#leave);
    root.addEventListener("focusin", this.#forget);
  }

  stop() {
    this.#forget();
    this.#root.removeEventListener("focusout", this.#leave);
    this.#root.removeEventListener("focusin", this.#forget);
  }

  /** @param {FocusEvent} event */
  #leave = (event) => {
    const to = /** @type {Element | null} */ (event.relatedTarget);
    // In another window nobody is told when something modal opens here and takes the focus.
    if (document.hasFocus() && !to?.closest(MODAL)) return;
    this.#left = { field: /** @type {HTMLElement} */ (event.target), of: this.#onScreen() };
    this.#wasCovered = isCovered(this.#root);
    this.#watch.observe(document.body, CHANGES);
  };

  #forget = () => {
    this.#left = null;
    this.#watch.disconnect();
  };

  #look() {
    if (isCovered(this.#root)) this.#wasCovered = true;
    // What closes leaves the page inert for a moment, and no field takes the focus before.
    else if (this.#wasCovered && !hostOf(this.#root).closest("[inert]")) this.#giveBack();
  }

  #giveBack() {
    const left = this.#left;
    this.#forget();
    if (left?.of !== this.#onScreen() || !isAround(document.activeElement, this.#root)) return;
    left?.field.focus({ preventScroll: true });
  }
}
