/** The line to the server, as Streamlit holds it. */

const STATE = "data-test-connection-state"; // on Streamlit's outermost element

/** Streamlit's word for it; null before it has one. */
function state() {
  return document.querySelector(`[${STATE}]`)?.getAttribute(STATE) ?? null;
}

/**
 * Whether the line stands. `navigator.onLine` is not asked: it is false on a machine without a
 * network that serves itself.
 */
export function isConnected() {
  return [null, "CONNECTED"].includes(state());
}

/** Whether Streamlit has given up, as when the server was updated. */
export function isOver() {
  return state() === "DISCONNECTED_FOREVER";
}

/**
 * Tell of every change of the line.
 *
 * @param {() => void} changed
 * @returns {() => void} what ends it
 */
export function watchLine(changed) {
  const watch = new MutationObserver(changed);
  watch.observe(document.body, { subtree: true, attributeFilter: [STATE] });
  return () => watch.disconnect();
}
