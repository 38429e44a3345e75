/**
 * Unsigned verdicts, kept by the browser tab, so that a reload loses nothing.
 *
 * Plausibility is kept by picture: a thorough check gives a map a new record, not another picture.
 */

/** @type {Draft} */
const EMPTY = {
  opinion: null, reasons: [], corrected: null, findings: {}, reasoning: null, plausibility: {},
  comment: "", boxes: [],
};

/** @type {(reader: Account, opened: Case) => string} */
const key = (reader, opened) =>
  `second-look/draft/${reader.id}/${opened.id}/${opened.prediction?.id ?? 0}`;

/** A fresh, empty draft. */
export function emptyDraft() {
  return structuredClone(EMPTY);
}

/**
 * The draft of a case as it was left, or an empty one.
 *
 * @param {Account} reader
 * @param {Case} opened
 * @returns {Draft}
 */
export function loadDraft(reader, opened) {
  const kept = sessionStorage.getItem(key(reader, opened));
  return kept ? { ...emptyDraft(), ...JSON.parse(kept) } : emptyDraft();
}

/**
 * Keep a draft; an empty one leaves no trace.
 *
 * @param {Account} reader
 * @param {Case} opened
 * @param {Draft} draft
 */
export function keepDraft(reader, opened, draft) {
  if (isEmpty(draft)) forgetDraft(reader, opened);
  else sessionStorage.setItem(key(reader, opened), JSON.stringify(draft));
}

/**
 * @param {Account} reader
 * @param {Case} opened
 */
export function forgetDraft(reader, opened) {
  sessionStorage.removeItem(key(reader, opened));
}

/**
 * Whether nothing was entered.
 *
 * @param {Draft} draft
 */
export function isEmpty(draft) {
  return JSON.stringify({ ...EMPTY, ...draft }) === JSON.stringify(EMPTY);
}
