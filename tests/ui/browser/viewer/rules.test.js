import assert from "node:assert/strict";
import test from "node:test";

import { emptyDraft } from "../../../../ui/browser/viewer/drafts.js";
import {
  choose, contrary, judge, judgedOf, missing, say, tidied, toggle, unsay,
} from "../../../../ui/browser/viewer/rules.js";
import { aCase, findingsOf, REASONS } from "./fakes.js";

const FINDINGS = findingsOf({
  effusion: { present: true }, nodule: {}, fibrosis: { asked: false },
});
const THE_MODELS = { effusion: "present", nodule: "absent" };
const [WRONG, MARKER] = REASONS;
const draft = (change) => ({ ...emptyDraft(), ...change });
const answer = (opinion, findings = {}) => ({ opinion, findings });

// --- the answer -------------------------------------------------------------------------------

test("of one class, an opinion is chosen, and taken back by choosing it again", () => {
  assert.deepEqual(choose(answer(null), "accept", []), answer("accept"));
  assert.deepEqual(choose(answer("accept"), "accept", []), answer(null));
  assert.deepEqual(choose(answer("accept"), "reject", []), answer("reject"));
});

test("accepting says of each finding asked about what the model says", () => {
  assert.deepEqual(choose(answer(null), "accept", FINDINGS), answer("accept", THE_MODELS));
});

test("accepting takes the model's side in what was said otherwise", () => {
  const before = answer("modify", { effusion: "absent", nodule: "indeterminate", fibrosis: "present" });
  assert.deepEqual(choose(before, "accept", FINDINGS), answer("accept", { ...THE_MODELS, fibrosis: "absent" }));
});

test("accepting again leaves nothing said", () => {
  assert.deepEqual(choose(answer("accept", THE_MODELS), "accept", FINDINGS), answer(null));
});

test("accepting again, when more has come to be asked about, says that, too", () => {
  const before = answer("accept", { effusion: "present" });
  assert.deepEqual(choose(before, "accept", FINDINGS), answer("accept", THE_MODELS));
});

test("modifying keeps what was said, and says the rest as the model does", () => {
  const before = answer("reject", { nodule: "present" });
  assert.deepEqual(choose(before, "modify", FINDINGS), answer("modify", { effusion: "present", nodule: "present" }));
});

test("rejecting says nothing of a finding but what was said otherwise", () => {
  assert.deepEqual(choose(answer("accept", THE_MODELS), "reject", FINDINGS), answer("reject"));
  const modified = answer("modify", { ...THE_MODELS, nodule: "present" });
  assert.deepEqual(choose(modified, "reject", FINDINGS), answer("reject", { nodule: "present" }));
});

test("who cannot assess says nothing of any finding", () => {
  assert.deepEqual(choose(answer("modify", THE_MODELS), "cannot_assess", FINDINGS), answer("cannot_assess"));
});

for (const opinion of [null, "accept"]) {
  test(`a finding said otherwise makes ${opinion ?? "no opinion"} a modification of the whole answer`, () => {
    const before = choose(answer(null), opinion ?? "reject", FINDINGS);
    const { findings } = opinion ? before : answer(null);
    assert.deepEqual(say({ opinion, findings }, "nodule", "present", FINDINGS),
      answer("modify", { effusion: "present", nodule: "present" }));
  });
}

test("a finding said as the model says it changes no opinion", () => {
  assert.deepEqual(say(answer(null), "nodule", "absent", FINDINGS), answer(null, { nodule: "absent" }));
  assert.deepEqual(say(answer("accept", THE_MODELS), "nodule", "absent", FINDINGS), answer("accept", THE_MODELS));
});

test("a finding said as the model says it, after all, does not accept by itself", () => {
  const before = answer("modify", { ...THE_MODELS, nodule: "present" });
  assert.equal(say(before, "nodule", "absent", FINDINGS).opinion, "modify");
});

test("a finding of a rejected answer is said alone, and taken back", () => {
  const said = say(answer("reject"), "nodule", "indeterminate", FINDINGS);
  assert.deepEqual(said, answer("reject", { nodule: "indeterminate" }));
  assert.deepEqual(unsay(said, "nodule"), answer("reject"));
});

test("the contrary is of what was said, or of what the model says; from indeterminate, the model's", () => {
  const [effusion, nodule] = FINDINGS;
  assert.equal(contrary(effusion, {}), "absent");
  assert.equal(contrary(nodule, {}), "present");
  assert.equal(contrary(nodule, { nodule: "present" }), "absent");
  assert.equal(contrary(effusion, { effusion: "indeterminate" }), "present");
});

test("shown are the findings asked about, then those of which something is said", () => {
  const names = (said) => judgedOf(FINDINGS, said).map(({ label }) => label);
  assert.deepEqual(names({}), ["effusion", "nodule"]);
  assert.deepEqual(names({ fibrosis: "present" }), ["effusion", "nodule", "fibrosis"]);
});

// --- the reason -------------------------------------------------------------------------------

test("a reason is judged, and the judgement taken back", () => {
  const sound = judge({ reasons: [], reasoning: null }, "sound", REASONS);
  assert.deepEqual(sound, { reasons: [], reasoning: "sound" });
  assert.deepEqual(judge(sound, "sound", REASONS), { reasons: [], reasoning: null });
});

test("what speaks against the reason calls it unsound, whatever was said, and leaves the answer alone", () => {
  for (const reasoning of [null, "sound", "unsure"]) {
    assert.deepEqual(toggle({ reasons: ["other"], reasoning }, MARKER, REASONS),
      { reasons: ["other", "looks_at_marker"], reasoning: "unsound" });
  }
});

test("what speaks against the reason goes when it is taken back, or the reason found sound", () => {
  const before = { reasons: ["other", "looks_at_marker"], reasoning: "unsound" };
  assert.deepEqual(toggle(before, MARKER, REASONS), { reasons: ["other"], reasoning: null });
  assert.deepEqual(judge(before, "sound", REASONS), { reasons: ["other"], reasoning: "sound" });
});

test("what speaks against the answer says nothing of the reason", () => {
  assert.deepEqual(toggle({ reasons: [], reasoning: "sound" }, WRONG, REASONS),
    { reasons: ["wrong_finding"], reasoning: "sound" });
});

test("an accepted answer has nothing against it, but its reason may", () => {
  const before = draft({ opinion: "accept", reasons: ["other", "looks_at_marker"], corrected: "Cat" });
  assert.deepEqual(tidied(before, REASONS), { reasons: ["looks_at_marker"], corrected: null });
});

// --- what is lacking --------------------------------------------------------------------------

const SITE = { needs: { reject: "reason", modify: "change" }, reasons: REASONS };
const BOX = { x: 0, y: 0, width: 5, height: 5 };
const lacking = (change, findings = []) => missing(draft(change), aCase({ prediction: { findings } }), SITE);

for (const change of [
  { opinion: "accept" }, { opinion: "cannot_assess" }, { opinion: "reject", reasons: ["other"] },
  { opinion: "reject", corrected: "Cat" }, { opinion: "modify", corrected: "Cat" },
  { opinion: "modify", boxes: [BOX] }, { opinion: "modify", comment: "left" },
  { opinion: "accept", reasoning: "sound" },
  { opinion: "accept", reasoning: "unsound", reasons: ["looks_at_marker"] },
  { opinion: "accept", reasoning: "unsound", comment: "the rib" },
  { opinion: "accept", reasoning: "unsound", plausibility: { "0/ig/a": "implausible" } },
]) {
  test(`${JSON.stringify(change)} can be signed`, () => assert.equal(lacking(change), null));
}

for (const [change, words] of [
  [{}, /Choose a verdict/],
  [{ reasoning: "sound" }, /Choose a verdict/],
  [{ opinion: "reject" }, /what is wrong: 1, 3, or a class/],
  [{ opinion: "reject", reasoning: "unsound", reasons: ["looks_at_marker"] }, /If only the reason is, accept/],
  [{ opinion: "modify" }, /what is modified/], [{ opinion: "modify", comment: " \n" }, /what is modified/],
  [{ opinion: "accept", reasoning: "unsound" }, /why it is unsound: 2,/],
  [{ opinion: "accept", reasoning: "unsound", plausibility: { "0/ig/put away": "implausible" } }, /why it is unsound/],
]) {
  test(`${JSON.stringify(change)} cannot be signed`, () => assert.match(lacking(change), words));
}

test("who rejects the class and gives the same one means to accept", () => {
  const opened = aCase({ prediction: { label: "Cat", findings: [] } });
  assert.match(missing(draft({ opinion: "reject", corrected: "Cat" }), opened, SITE), /accept it/);
});

test("of findings, a change is enough for a modification and for a rejection", () => {
  const changed = { ...THE_MODELS, nodule: "present" };
  for (const opinion of ["modify", "reject"]) {
    assert.equal(lacking({ opinion, findings: changed }, FINDINGS), null);
    assert.match(lacking({ opinion, findings: THE_MODELS }, FINDINGS), /a finding/);
  }
});

test("an accepted answer says something of each finding asked about", () => {
  assert.equal(lacking({ opinion: "accept", findings: THE_MODELS }, FINDINGS), null);
  assert.match(lacking({ opinion: "accept", findings: { effusion: "present" } }, FINDINGS), /Say of nodule/);
});
