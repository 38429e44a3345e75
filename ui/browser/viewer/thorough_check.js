/** The thorough check of a map: asked for behind its badge, and followed there. */

import { h } from "./dom.js";
import { isUnderWay } from "./notices.js";

const MEANING = "Explains slightly noisy images, and the model with its weights shuffled, and compares "
  + "their maps with this one. Takes about eight times as long as the map.";

/**
 * What the badge says while its map is being checked, or null.
 *
 * @param {MadeMap} map
 */
export function checking({ check }) {
  if (!isUnderWay(check)) return null;
  return h("span", { class: "muted" }, `checking ${Math.round(100 * (check.fraction ?? 0))} %`);
}

/**
 * What stands behind the badge: a button, progress with a way to stop, or why it failed.
 *
 * @param {MadeMap} map
 * @param {Act} act sends to the server
 * @returns an element, or null where the map has been checked
 */
export function thoroughCheck({ id, check, trust }, act) {
  if (trust.thorough) return null;
  /** @type {(words: string, action: Action) => Element} */
  const ask = (words, action) => h("button", {
    type: "button", "data-id": "check", title: MEANING, onclick: () => act(action),
  }, words);
  if (isUnderWay(check)) {
    return line(check.stage || "Waiting for a worker", ask("Cancel", { kind: "cancel", job_id: check.id }));
  }
  if (check?.status === "failed") {
    return line(`The check failed: ${check.error}`, ask("Retry", { kind: "retry", job_id: check.id }));
  }
  return line("", ask("Check thoroughly", { kind: "check", explanation_id: id }));
}

/**
 * @param {string} words
 * @param {Element} button
 */
function line(words, button) {
  return h("p", { class: "check" }, words ? h("span", {}, words) : null, button);
}
