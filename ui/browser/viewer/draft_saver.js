/**
 * Has the server keep drafts: a moment after the last change, one request at a time for each, and
 * each over the state that the tab knows. A newer one, of another window, is not overwritten.
 */

import { isSame, keyOf, loadKept, newest, storeKept } from "./drafts.js";

const PAUSE_MS = 800;
const RETRY_MS = 10_000;
const LOST = 409;
const MOST_SENT = 20; // without an answer, to know them again

/** @type {Set<Promise<unknown>>} */
const sending = new Set();

/** Wait until the server has answered to every draft that was sent. */
export async function draftsSent() {
  await Promise.allSettled(sending);
}

/**
 * @typedef {{ newer: ServerDraft | null } | { words: string }} Trouble
 * @typedef {{ reader: Reader, opened: Judged, timer: number, sending: boolean }} Due
 */

export class DraftSaver {
  /** @type {Map<string, Due>} */
  #due = new Map();
  #told;

  /** @param {(opened: Judged, trouble: Trouble) => void} told what keeps a draft from being saved */
  constructor(told) {
    this.#told = told;
  }

  /** Whether the server lacks something that was entered. */
  get busy() {
    return this.#due.size > 0;
  }

  /**
   * A draft was changed.
   *
   * @param {Reader} reader
   * @param {Judged} opened
   */
  save(reader, opened) {
    this.#later({ reader, opened }, PAUSE_MS);
  }

  /**
   * A draft is being signed: nothing of it is sent any more, unless it is changed again.
   *
   * @param {Reader} reader
   * @param {Judged} opened
   */
  hold(reader, opened) {
    const due = this.#due.get(keyOf(reader, opened));
    clearTimeout(due?.timer);
    if (due && !due.sending) this.#due.delete(keyOf(reader, opened));
  }

  /** Send at once what is due. */
  flush() {
    for (const due of this.#due.values()) {
      clearTimeout(due.timer);
      if (!due.sending) this.#send(due);
    }
  }

  stop() {
    this.flush();
    for (const { timer } of this.#due.values()) clearTimeout(timer);
  }

  /**
   * @param {{ reader: Reader, opened: Judged }} of
   * @param {number} pause_ms
   */
  #later({ reader, opened }, pause_ms) {
    const key = keyOf(reader, opened);
    const due = this.#due.get(key) ?? { reader, opened, timer: 0, sending: false };
    this.#due.set(key, due);
    clearTimeout(due.timer);
    if (!due.sending) due.timer = setTimeout(() => this.#send(due), pause_ms);
  }

  /** @param {Due} due */
  async #send(due) {
    const { reader, opened } = due;
    const kept = loadKept(reader, opened);
    due.sending = true;
    if (kept.draft) storeKept(reader, opened, { ...kept, sent: [...kept.sent, kept.draft].slice(-MOST_SENT) });
    const sent = put(reader, opened, kept);
    sending.add(sent);
    const reply = await sent;
    sending.delete(sent);
    due.sending = false;
    const now = loadKept(reader, opened);
    const isChanged = !isSame(now.draft, kept.draft);
    if (reply === null) this.#later(due, RETRY_MS);
    else if (reply.ok) {
      storeKept(reader, opened, { ...now, base: reply.at ?? now.base, saved: !isChanged, sent: [] });
      this.#done(due, isChanged);
    } else if (reply.status === LOST) this.#lost(due, now, reply.draft);
    else {
      this.#done(due, isChanged);
      if (!isChanged && reply.status !== 401) this.#told(opened, { words: reply.words });
    }
  }

  /**
   * @param {Due} due
   * @param {boolean} isChanged while it was on its way
   */
  #done(due, isChanged) {
    this.#due.delete(keyOf(due.reader, due.opened));
    if (isChanged) this.save(due.reader, due.opened);
  }

  /**
   * Another window has saved since. What was signed or discarded here is no news to it.
   *
   * @param {Due} due
   * @param {Kept} now
   * @param {ServerDraft | null} server
   */
  #lost(due, now, server) {
    this.#due.delete(keyOf(due.reader, due.opened));
    const { kept, other } = newest({ ...now, saved: false }, server);
    const isOurs = server && now.sent.some((each) => isSame(server.content, each));
    if (!now.draft && isOurs) { // discarded before the server had told of it
      storeKept(due.reader, due.opened, { ...now, base: server.at });
      this.save(due.reader, due.opened);
    } else if (now.draft && !other) { // an answer of before did not arrive
      storeKept(due.reader, due.opened, kept);
      if (!kept.saved) this.save(due.reader, due.opened);
    } else if (now.draft) this.#told(due.opened, { newer: other });
  }
}

/**
 * What the server says; null where it could not be asked.
 *
 * @param {Reader} reader
 * @param {Judged} opened
 * @param {Kept} kept
 * @returns {Promise<{ ok: true, at: string | null }
 *   | { ok: false, status: number, words: string, draft: ServerDraft | null } | null>}
 */
async function put(reader, { prediction }, { draft, base }) {
  try {
    const reply = await fetch(`/api/draft/${prediction?.id}`, {
      method: "PUT", keepalive: true, // it is also sent while the page is left
      body: JSON.stringify({ reader_id: reader.id, base, content: draft }),
    });
    if (reply.status >= 500) return null;
    if (reply.status === 401) return { ok: false, status: 401, words: "", draft: null };
    if (reply.status === 413) return { ok: false, status: 413, words: "It is too large to be kept.", draft: null };
    return { status: reply.status, ...await reply.json() };
  } catch {
    return null;
  }
}
