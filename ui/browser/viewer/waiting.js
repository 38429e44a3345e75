/**
 * Verdicts that were signed and are not confirmed yet. The browser keeps them, under the account
 * that gave them, until the server has answered: over a reload, a closed tab and signing out.
 *
 * Each has a request id by which the server signs it once, however often it is sent. What the
 * screen sends itself, as it was signed, is held; what it left behind is sent from any page.
 */

import { forgetDraft, isSame, keepDraft, loadKept } from "./drafts.js";
import { get, keysOf, put, remove } from "./storage.js";

const PREFIX = "second-look/waiting/";
/** Tells the server, at signing out, that something in the storage is still needed. */
const COOKIE = "second_look_waiting";
const PATIENCE_MS = 10_000;

/** Tells of "changed", and of each "answered" verdict. */
export const news = new EventTarget();

/** @type {Set<string>} */
const held = new Set();
/** @type {Promise<void> | null} */
let sending = null;

/** @type {(entry: Waiting) => string} */
const keyOf = ({ action }) => `${PREFIX}${action.reader_id}/${action.request_id}`;

/**
 * Keep a verdict that the screen is about to send.
 *
 * @param {Waiting} entry
 */
export function keepWaiting(entry) {
  held.add(entry.action.request_id);
  put(localStorage, keyOf(entry), JSON.stringify(entry));
  tellServer();
}

/**
 * The server has answered.
 *
 * @param {Waiting} entry
 */
export function settleWaiting(entry) {
  held.delete(entry.action.request_id);
  remove(localStorage, keyOf(entry));
  tellServer();
}

/** The screen has ended: what it was sending is left behind. */
export function releaseWaiting() {
  held.clear();
  news.dispatchEvent(new Event("changed"));
}

/**
 * What a reader has waiting, the earliest first.
 *
 * @param {number} readerId
 * @returns {Waiting[]}
 */
export function waitingOf(readerId) {
  const texts = keysOf(localStorage, `${PREFIX}${readerId}/`).map((key) => get(localStorage, key));
  return texts.flatMap((text) => (text === null ? [] : [/** @type {Waiting} */ (JSON.parse(text))]))
    .sort((one, other) => one.at - other.at);
}

/**
 * What a reader has waiting that no screen sends.
 *
 * @param {number} readerId
 */
export function leftBehind(readerId) {
  return waitingOf(readerId).filter(({ action }) => !held.has(action.request_id));
}

/**
 * Whether a verdict on a case's prediction was left behind.
 *
 * @param {number} readerId
 * @param {Judged} opened
 */
export function isLeftBehind(readerId, { prediction }) {
  return leftBehind(readerId).some(({ action }) => action.prediction_id === prediction?.id);
}

/**
 * Send what was left behind; what cannot be sent stays.
 *
 * @param {number} readerId
 */
export function sendWaiting(readerId) {
  sending ??= sendEach(readerId).finally(() => { sending = null; });
  return sending;
}

/** @param {number} readerId */
async function sendEach(readerId) {
  for (const entry of leftBehind(readerId)) {
    const reply = await post(entry.action);
    if (reply === null) return;
    settleWaiting(entry);
    becomesDraft({ id: readerId }, entry, reply);
    news.dispatchEvent(new CustomEvent("answered", { detail: { entry, reply } }));
  }
}

/**
 * Once signed, a verdict's draft is over; a refused one is a draft again. What was entered since it
 * was given stays, and is for the server too.
 *
 * @param {Reader} reader
 * @param {Waiting} entry
 * @param {Reply} reply
 */
function becomesDraft(reader, { opened, draft }, { ok }) {
  const since = loadKept(reader, opened).draft;
  const isEdited = since !== null && !isSame(since, draft);
  if (ok) forgetDraft(reader, opened);
  if (isEdited) keepDraft(reader, opened, since);
  else if (!ok) keepDraft(reader, opened, draft);
}

/**
 * What the server says to a verdict; null where it could not be asked, or asks for patience.
 *
 * @param {VerdictAction} action
 * @returns {Promise<Reply | null>}
 */
async function post(action) {
  try {
    const reply = await fetch("/api/verdict", {
      method: "POST", body: JSON.stringify(action), signal: AbortSignal.timeout(PATIENCE_MS),
    });
    // What is too large for any route is refused before one is asked, in plain text.
    if (reply.status === 413) return { ok: false, words: "It is too large to be sent." };
    return reply.ok || [400, 422].includes(reply.status) ? await reply.json() : null;
  } catch {
    return null;
  }
}

/** Have the server leave the storage alone at signing out while anything, of anybody, waits. */
function tellServer() {
  const some = keysOf(localStorage, PREFIX).length > 0;
  document.cookie = `${COOKIE}=1; path=/; samesite=strict; max-age=${some ? 31_536_000 : 0}`;
  news.dispatchEvent(new Event("changed"));
}
