import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { keepDraft, loadKept } from "../../../../ui/browser/viewer/drafts.js";
import {
  isLeftBehind, keepWaiting, leftBehind, news, releaseWaiting, sendWaiting, settleWaiting, waitingOf,
} from "../../../../ui/browser/viewer/waiting.js";
import { FakeStorage } from "./fakes.js";

const OPENED = { id: 7, model_id: 3, prediction: { id: 11 } };
const DRAFT = { opinion: "reject", reasons: ["blur"], comment: "mine" };
const entry = (reader_id, request_id, at = 0) => ({
  action: { kind: "verdict", reader_id, request_id, prediction_id: 11 }, words: "Reject, case 7",
  draft: DRAFT, opened: OPENED, at,
});

let sent;
let answers;
let answered;
const note = ({ detail }) => answered.push([detail.entry.action.request_id, detail.reply.ok]);

beforeEach(() => {
  globalThis.localStorage = new FakeStorage();
  globalThis.sessionStorage = new FakeStorage();
  globalThis.document = { cookie: "" };
  [sent, answers, answered] = [[], [], []];
  globalThis.fetch = async (_, { body }) => {
    sent.push(JSON.parse(body).request_id);
    const [status, json] = answers.shift() ?? [200, { ok: true, verdict_id: 1 }];
    if (status === 0) throw new TypeError("Failed to fetch");
    return { ok: status === 200, status, json: async () => json };
  };
  news.addEventListener("answered", note);
});

afterEach(() => {
  releaseWaiting();
  news.removeEventListener("answered", note);
  delete globalThis.document;
});

test("what a screen sends itself is not left behind, until it ends", async () => {
  keepWaiting(entry(5, "a"));
  assert.equal(waitingOf(5).length, 1);
  assert.ok(!isLeftBehind(5, OPENED));
  await sendWaiting(5);
  assert.deepEqual(sent, []);
  releaseWaiting();
  assert.ok(isLeftBehind(5, OPENED));
});

test("what was left behind is sent once, the earliest first, and said", async () => {
  [entry(5, "late", 2), entry(5, "early", 1)].forEach(keepWaiting);
  releaseWaiting();
  await Promise.all([sendWaiting(5), sendWaiting(5)]);
  assert.deepEqual(sent, ["early", "late"]);
  assert.deepEqual(answered, [["early", true], ["late", true]]);
  assert.deepEqual(localStorage.keys, []);
});

test("it belongs to the reader who gave it", async () => {
  keepWaiting(entry(5, "a"));
  releaseWaiting();
  await sendWaiting(55);
  assert.deepEqual([sent, waitingOf(55), leftBehind(5).length], [[], [], 1]);
});

for (const status of [0, 401, 403, 500, 503]) {
  test(`after ${status || "no answer"} it stays, and what is behind it waits`, async () => {
    answers = [[status, { ok: false, words: "" }]];
    [entry(5, "a", 1), entry(5, "b", 2)].forEach(keepWaiting);
    releaseWaiting();
    await sendWaiting(5);
    assert.deepEqual([sent, answered, leftBehind(5).length], [["a"], [], 2]);
    await sendWaiting(5);
    assert.deepEqual([sent, leftBehind(5).length], [["a", "a", "b"], 0]);
  });
}

test("one that is refused is a draft again", async () => {
  answers = [[422, { ok: false, words: "The case has changed." }]];
  keepWaiting(entry(5, "a"));
  releaseWaiting();
  await sendWaiting(5);
  assert.deepEqual(answered, [["a", false]]);
  assert.deepEqual(loadKept({ id: 5 }, OPENED).draft, DRAFT);
  assert.deepEqual(localStorage.keys, []);
});

for (const status of [200, 422]) {
  test(`what was entered since it was given stays after ${status}`, async () => {
    answers = [[status, { ok: status === 200, words: "" }]];
    keepWaiting(entry(5, "a"));
    const edited = { ...DRAFT, comment: "mine, and more" };
    keepDraft({ id: 5 }, OPENED, edited);
    releaseWaiting();
    await sendWaiting(5);
    const kept = loadKept({ id: 5 }, OPENED);
    assert.deepEqual([kept.draft, kept.saved], [edited, false]);
  });
}

test("once it is signed, its draft is over", async () => {
  keepWaiting(entry(5, "a"));
  keepDraft({ id: 5 }, OPENED, DRAFT);
  releaseWaiting();
  await sendWaiting(5);
  assert.equal(loadKept({ id: 5 }, OPENED).draft, null);
});

test("the server is told whether anything waits, whoever gave it", () => {
  keepWaiting(entry(5, "a"));
  keepWaiting(entry(6, "b"));
  settleWaiting(entry(5, "a"));
  assert.match(globalThis.document.cookie, /^second_look_waiting=1; .*max-age=[1-9]/);
  settleWaiting(entry(6, "b"));
  assert.match(globalThis.document.cookie, /max-age=0$/);
});
