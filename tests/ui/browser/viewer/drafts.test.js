import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import {
  emptyDraft, forgetDraft, isEmpty, keepDraft, loadDraft,
} from "../../../../ui/browser/viewer/drafts.js";
import { aCase, FakeStorage } from "./fakes.js";

const READER = { id: 5, may_sign: true };
const draft = (change) => ({ ...emptyDraft(), ...change });

beforeEach(() => { globalThis.sessionStorage = new FakeStorage(); });

test("a draft is as it was left", () => {
  const left = draft({ opinion: "reject", reasons: ["blur"], plausibility: { "0/ig/a": "unsure" } });
  keepDraft(READER, aCase(), left);
  assert.deepEqual(loadDraft(READER, aCase()), left);
});

test("a draft belongs to one reader, one case and one prediction", () => {
  keepDraft(READER, aCase(), draft({ comment: "mine" }));
  assert.ok(isEmpty(loadDraft({ id: 6, may_sign: true }, aCase())));
  assert.ok(isEmpty(loadDraft(READER, aCase({ id: 8 }))));
  assert.ok(isEmpty(loadDraft(READER, aCase({ prediction: { id: 12 } }))));
});

test("an emptied or forgotten draft leaves no trace", () => {
  keepDraft(READER, aCase(), draft({ comment: "mine" }));
  keepDraft(READER, aCase(), emptyDraft());
  assert.deepEqual(sessionStorage.keys, []);
  keepDraft(READER, aCase(), draft({ comment: "mine" }));
  forgetDraft(READER, aCase());
  assert.deepEqual(sessionStorage.keys, []);
});

test("a draft of an earlier version lacks nothing", () => {
  sessionStorage.setItem("second-look/draft/5/7/11", JSON.stringify({ comment: "old" }));
  assert.deepEqual(loadDraft(READER, aCase()), draft({ comment: "old" }));
});

test("each empty draft is another: what is entered in one is in no other", () => {
  emptyDraft().reasons.push("blur");
  assert.ok(isEmpty(emptyDraft()));
});
