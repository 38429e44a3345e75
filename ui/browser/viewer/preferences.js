/** How this browser's reader likes heatmaps: kept over cases and visits. */

const KEY = "second-look/heatmaps";
const DEFAULT = { heat: true, compared: false, opacity: 0.7, threshold: 0.1 };

export function loadPreferences() {
  const kept = localStorage.getItem(KEY);
  return kept ? { ...DEFAULT, ...JSON.parse(kept) } : { ...DEFAULT };
}

export function keepPreferences({ heat, compared, opacity, threshold }) {
  localStorage.setItem(KEY, JSON.stringify({ heat, compared, opacity, threshold }));
}
