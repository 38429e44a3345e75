/** Build an element: `h("button", { class: "key", onclick }, "Accept")`. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (typeof value === "boolean") element.toggleAttribute(name, value);
    else if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** Replace an element's text only when it changed, so that screen readers are not disturbed. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Set a boolean ARIA attribute. */
export function mark(element, attribute, on) {
  element.setAttribute(attribute, String(Boolean(on)));
}

/**
 * Put a new child list into an element, keeping keyboard focus on the same `data-id`; what shows
 * only while something in it has the focus is marked `refocused` until it has.
 */
export function refill(element, ...children) {
  const focused = element.getRootNode().activeElement;
  const id = element.contains(focused) ? focused.dataset.id : null;
  element.replaceChildren(...children.flat().filter(Boolean));
  if (!id) return;
  element.classList.add("refocused");
  element.querySelector(`[data-id="${CSS.escape(id)}"]`)?.focus();
  element.classList.remove("refocused");
}
