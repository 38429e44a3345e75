/** How this browser's reader likes heatmaps: kept over cases and visits. */

const KEY = "second-look/heatmaps";
/** @type {Preferences} */
const DEFAULT = { heat: true, compared: false, opacity: 0.7, threshold: 0.1 };

/** @returns {Preferences} */
export function loadPreferences() {
  const kept = localStorage.getItem(KEY);
  return kept ? { ...DEFAULT, ...JSON.parse(kept) } : { ...DEFAULT };
}

/** @param {Preferences} preferences */
export function keepPreferences({ heat, compared, opacity, threshold }) {
  localStorage.setItem(KEY, JSON.stringify({ heat, compared, opacity, threshold }));
}
