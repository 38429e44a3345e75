import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import {
  basisOf, emptyDraft, forgetDraft, forgetDrafts, isSame, keepDraft, loadKept, newest, storeKept,
  taken, withoutGone,
} from "../../../../ui/browser/viewer/drafts.js";
import { isPageNeeded } from "../../../../ui/browser/viewer/storage.js";
import { aCase, FakeStorage } from "./fakes.js";

const READER = { id: 5 };
const [EARLY, NOON, LATE] = ["2026-01-01T10:00", "2026-01-01T12:00", "2026-01-01T18:00"];
const draft = (change) => ({ ...emptyDraft(), ...change });
const kept = (reader = READER, opened = aCase()) => loadKept(reader, opened);
const server = (at, change) => ({ at, content: draft(change) });

beforeEach(() => { globalThis.sessionStorage = new FakeStorage(); });

// --- in the tab -----------------------------------------------------------------------------------

test("a draft is as it was left, and the server lacks it", () => {
  const left = draft({ opinion: "reject", reasons: ["blur"], plausibility: { "0/ig/a": "unsure" } });
  keepDraft(READER, aCase(), left);
  assert.deepEqual(kept().draft, left);
  assert.equal(kept().saved, false);
});

test("a draft belongs to one reader, one case and one prediction", () => {
  keepDraft(READER, aCase(), draft({ comment: "mine" }));
  assert.equal(kept({ id: 6 }).draft, null);
  assert.equal(kept(READER, aCase({ id: 8 })).draft, null);
  assert.equal(kept(READER, aCase({ prediction: { id: 12 } })).draft, null);
});

test("an emptied or forgotten draft that the server never had leaves no trace", () => {
  keepDraft(READER, aCase(), draft({ comment: "mine" }));
  keepDraft(READER, aCase(), null);
  assert.deepEqual(sessionStorage.keys, []);
  keepDraft(READER, aCase(), draft({ comment: "mine" }));
  forgetDraft(READER, aCase());
  assert.deepEqual(sessionStorage.keys, []);
});

test("an emptied draft that the server has, or may have, is to be taken from there", () => {
  for (const had of [{ base: NOON }, { sent: [draft({ comment: "mine" })] }]) {
    storeKept(READER, aCase(), { ...kept(), draft: draft({ comment: "mine" }), ...had });
    keepDraft(READER, aCase(), null);
    assert.equal(kept().saved, false);
    sessionStorage.removeItem(sessionStorage.keys[0]);
  }
});

test("a draft of an earlier version lacks nothing", () => {
  sessionStorage.setItem("second-look/draft/5/7/11", JSON.stringify({ comment: "old" }));
  assert.deepEqual(kept().draft, draft({ comment: "old" }));
  assert.equal(kept().saved, false);
});

test("at signing out no draft stays in the tab, and nothing else goes", () => {
  sessionStorage.setItem("another", "1");
  keepDraft(READER, aCase(), draft({ comment: "mine" }));
  keepDraft({ id: 6 }, aCase(), draft({ comment: "theirs" }));
  forgetDrafts();
  assert.deepEqual(sessionStorage.keys, ["another"]);
});

test("what the browser refuses to store is there while the page is", () => {
  globalThis.sessionStorage.setItem = () => { throw new Error("full"); };
  keepDraft(READER, aCase(), draft({ comment: "mine" }));
  assert.equal(kept().draft.comment, "mine");
  assert.ok(isPageNeeded());
  forgetDraft(READER, aCase());
  assert.equal(kept().draft, null);
  assert.ok(!isPageNeeded());
});

test("each empty draft is another: what is entered in one is in no other", () => {
  emptyDraft().reasons.push("blur");
  assert.deepEqual(emptyDraft().reasons, []);
});

// --- the tab's and the server's ----------------------------------------------------------------------

const AFTER_NOON = { draft: draft({ comment: "tab" }), base: NOON, saved: true, sent: [], at: 0 };
const TYPED = { ...AFTER_NOON, saved: false };

test("the server's is taken where the tab has none, and where it is newer", () => {
  for (const here of [kept(), AFTER_NOON]) {
    const found = newest(here, server(LATE, { comment: "server" }));
    assert.deepEqual(found, { kept: taken(server(LATE, { comment: "server" })), other: null });
  }
});

test("the tab's is kept where the server has none, or none that is newer", () => {
  for (const there of [null, server(EARLY, { comment: "old" }), server(NOON, { comment: "same" })]) {
    assert.deepEqual(newest(AFTER_NOON, there), { kept: AFTER_NOON, other: null });
  }
});

test("what was discarded or signed here is not offered again", () => {
  const gone = { ...AFTER_NOON, draft: null };
  assert.equal(newest(gone, server(NOON, { comment: "gone" })).kept.draft, null);
  assert.equal(newest(gone, server(LATE, { comment: "new" })).kept.draft.comment, "new");
});

test("what was typed and not saved is not given up for a newer one, which is told", () => {
  const other = server(LATE, { comment: "server" });
  assert.deepEqual(newest(TYPED, other), { kept: TYPED, other });
});

test("an own draft whose answer was lost is known again", () => {
  const same = newest(TYPED, server(LATE, { comment: "tab" }));
  assert.deepEqual(same, { kept: { ...TYPED, base: LATE, saved: true }, other: null });
  const further = { ...TYPED, sent: [draft({ comment: "t" }), draft({ comment: "ta" })] };
  const found = newest(further, server(LATE, { comment: "t" }));
  assert.deepEqual(found, { kept: { ...further, base: LATE, saved: false }, other: null });
});

test("judgements of maps that cannot be opened any more are left out and counted", () => {
  const judged = draft({ plausibility: { "0/ig/a": "unsure", "0/ig/gone": "plausible" } });
  const found = withoutGone(judged, aCase().pictures);
  assert.deepEqual(found.draft.plausibility, { "0/ig/a": "unsure" });
  assert.equal(found.nGone, 1);
  assert.equal(Object.keys(judged.plausibility).length, 2);
});

// --- what was signed ------------------------------------------------------------------------------------

const SAID = {
  opinion: "reject", reasons: ["blur", "other"], corrected: null, plausibility: { b: "unsure", a: "plausible" },
  comment: "left", boxes: [],
};
const STANDING = { id: 2, current: true, said: SAID };

test("one goes on from the verdict that stands, or from nothing", () => {
  assert.deepEqual(basisOf({ verdicts: [STANDING] }), draft(SAID));
  assert.deepEqual(basisOf({ verdicts: [{ ...STANDING, current: false }] }), emptyDraft());
  basisOf({ verdicts: [STANDING] }).reasons.push("more");
  assert.equal(SAID.reasons.length, 2);
});

test("drafts say the same in whatever order, and with whatever space around the comment", () => {
  const other = { ...SAID, reasons: ["other", "blur"], plausibility: { a: "plausible", b: "unsure" }, comment: " left\n" };
  assert.ok(isSame(draft(SAID), draft(other)));
  assert.ok(isSame(null, emptyDraft()));
  for (const change of [{ opinion: "accept" }, { comment: "right" }, { boxes: [{ x: 0, y: 0, width: 5, height: 5 }] },
    { plausibility: {} }, { reasoning: "sound" }, { findings: { nodule: "present" } }]) {
    assert.ok(!isSame(draft(SAID), draft({ ...SAID, ...change })), JSON.stringify(change));
  }
});
