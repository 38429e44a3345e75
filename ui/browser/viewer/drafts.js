/**
 * Unsigned verdicts, kept by the browser tab, so that a reload loses nothing; `DraftSaver` has the
 * server keep them too.
 *
 * Plausibility is kept by picture: a thorough check gives a map a new record, not another picture.
 */

import { get, keysOf, put, remove } from "./storage.js";

const PREFIX = "second-look/draft/";

/** @type {Draft} */
const EMPTY = {
  opinion: null, reasons: [], corrected: null, findings: {}, reasoning: null, plausibility: {},
  comment: "", boxes: [],
};

/** @type {Kept} */
const NOTHING = { draft: null, base: null, saved: true, sent: [], at: 0 };

/** @type {(reader: Reader, opened: Judged) => string} */
export const keyOf = (reader, opened) =>
  `${PREFIX}${reader.id}/${opened.id}/${opened.prediction?.id ?? 0}`;

/** A fresh, empty draft. */
export function emptyDraft() {
  return structuredClone(EMPTY);
}

/**
 * What a reader goes on from where nothing was entered: their standing verdict, or an empty draft.
 *
 * @param {Pick<Case, "verdicts">} opened
 * @returns {Draft}
 */
export function basisOf(opened) {
  return { ...emptyDraft(), ...structuredClone(standingOf(opened)?.said) };
}

/**
 * The reader's verdict that stands, if one does.
 *
 * @param {Pick<Case, "verdicts">} opened
 */
export function standingOf({ verdicts }) {
  return verdicts.find(({ current }) => current) ?? null;
}

/**
 * What the tab has of a draft.
 *
 * @param {Reader} reader
 * @param {Judged} opened
 * @returns {Kept}
 */
export function loadKept(reader, opened) {
  const text = get(sessionStorage, keyOf(reader, opened));
  if (!text) return { ...NOTHING };
  const kept = JSON.parse(text);
  // An earlier version kept the bare draft.
  return "saved" in kept ? kept : { ...NOTHING, draft: { ...emptyDraft(), ...kept }, saved: false };
}

/**
 * @param {Reader} reader
 * @param {Judged} opened
 * @param {Kept} kept
 */
export function storeKept(reader, opened, kept) {
  const key = keyOf(reader, opened);
  if (!kept.draft && kept.base === null && kept.saved) remove(sessionStorage, key);
  else put(sessionStorage, key, JSON.stringify(kept));
}

/**
 * Keep what was entered; null is that there is nothing any more.
 *
 * @param {Reader} reader
 * @param {Judged} opened
 * @param {Draft | null} draft
 */
export function keepDraft(reader, opened, draft) {
  const kept = loadKept(reader, opened);
  const saved = !draft && kept.base === null && !kept.sent.length;
  storeKept(reader, opened, { ...kept, draft, saved, at: Date.now() });
}

/**
 * The draft was signed: the server has none of it any more.
 *
 * @param {Reader} reader
 * @param {Judged} opened
 */
export function forgetDraft(reader, opened) {
  const { base } = loadKept(reader, opened);
  storeKept(reader, opened, { ...NOTHING, base });
}

/** Leave nothing of any draft in this tab, as at signing out. */
export function forgetDrafts() {
  for (const key of keysOf(sessionStorage, PREFIX)) remove(sessionStorage, key);
}

/**
 * Whether two drafts say the same, in whatever order.
 *
 * @param {Draft | null} one
 * @param {Draft | null} other
 */
export function isSame(one, other) {
  return canonical(one) === canonical(other);
}

/** @param {Draft | null} draft */
function canonical(draft) {
  /** @type {(named: object) => unknown[]} */
  const sorted = (named) => Object.entries(named).sort(([a], [b]) => (a < b ? -1 : 1));
  const whole = { ...EMPTY, ...draft };
  return JSON.stringify([whole.opinion, [...whole.reasons].sort(), whole.corrected,
    sorted(whole.plausibility), whole.comment.trim(), whole.boxes.map(sorted), whole.reasoning,
    sorted(whole.findings)]);
}

/**
 * A draft without judgements of maps that cannot be opened any more, and how many those were.
 *
 * @param {Draft} draft
 * @param {string[]} pictures that can be
 * @returns {{ draft: Draft, nGone: number }}
 */
export function withoutGone(draft, pictures) {
  const said = Object.entries(draft.plausibility);
  const there = said.filter(([picture]) => pictures.includes(picture));
  return {
    draft: { ...draft, plausibility: Object.fromEntries(there) }, nGone: said.length - there.length,
  };
}

/**
 * What to go on from: the tab's draft or the server's, whichever is newer. Of what was typed here
 * and has not reached the server nothing is given up: the server's is then the other one.
 *
 * @param {Kept} kept what the tab has
 * @param {ServerDraft | null} server
 * @returns {{ kept: Kept, other: ServerDraft | null }}
 */
export function newest(kept, server) {
  if (!server || (kept.base !== null && server.at <= kept.base)) return { kept, other: null };
  const isOurs = [kept.draft, ...kept.sent].some((each) => isSame(server.content, each));
  if (kept.draft && !kept.saved && !isOurs) return { kept, other: server };
  if (kept.draft && isOurs) {
    return { kept: { ...kept, base: server.at, saved: isSame(server.content, kept.draft) }, other: null };
  }
  return { kept: taken(server), other: null };
}

/**
 * The server's draft as the tab keeps it.
 *
 * @param {ServerDraft} server
 * @returns {Kept}
 */
export function taken({ content, at }) {
  const draft = { ...emptyDraft(), ...content };
  return { draft, base: at, saved: true, sent: [], at: Date.parse(at) };
}
