/**
 * The rules of a verdict: how a draft changes with what a reader says, and what it lacks. All
 * functions are pure; the server asks for all of it again.
 *
 * Of a model of findings, accepting says of each finding that is asked about what the model says,
 * and one that is said to be otherwise makes it a modification.
 */

/** @typedef {Pick<Draft, "opinion" | "findings">} Answer */
/** @typedef {Pick<Draft, "reasons" | "reasoning">} Reasoned */

/**
 * What the model says of a finding.
 *
 * @param {Finding} finding
 * @returns {Call}
 */
export function callOf({ present }) {
  return present ? "present" : "absent";
}

/**
 * The findings that a reader is shown to judge: those asked about, then those added.
 *
 * @param {Finding[]} findings
 * @param {Draft["findings"]} said
 */
export function judgedOf(findings, said) {
  const added = findings.filter(({ label, asked }) => !asked && label in said);
  return [...findings.filter(({ asked }) => asked), ...added];
}

/**
 * Say something of the answer; saying it again takes it back, unless it was not said of everything.
 *
 * @param {Answer} draft
 * @param {Opinion} opinion
 * @param {Finding[]} findings
 * @returns {Answer}
 */
export function choose({ opinion: before, findings: said }, opinion, findings) {
  const differing = pick(findings, (finding) => differs(finding, said) && said[finding.label]);
  if (opinion === before && !unsaid({ opinion, findings: said }, findings).length) {
    return { opinion: null, findings: differing };
  }
  switch (opinion) {
    case "accept": return { opinion, findings: pick(judgedOf(findings, said), callOf) };
    case "modify": return { opinion, findings: completed(said, findings) };
    case "reject": return { opinion, findings: differing };
    default: return { opinion, findings: {} };
  }
}

/**
 * Say something of a finding; what differs from the model's answer modifies it.
 *
 * @param {Answer} draft
 * @param {string} label
 * @param {Call} call
 * @param {Finding[]} findings
 * @returns {Answer}
 */
export function say({ opinion: before, findings: said }, label, call, findings) {
  const now = { ...said, [label]: call };
  const changes = findings.some((finding) => finding.label === label && differs(finding, now));
  const opinion = changes && (before === null || before === "accept") ? "modify" : before;
  const whole = opinion === "accept" || opinion === "modify";
  return { opinion, findings: whole ? completed(now, findings) : now };
}

/**
 * Say nothing of a finding any more.
 *
 * @param {Answer} draft
 * @param {string} label
 * @returns {Answer}
 */
export function unsay({ opinion, findings }, label) {
  const others = Object.entries(findings).filter(([other]) => other !== label);
  return { opinion, findings: Object.fromEntries(others) };
}

/**
 * Say the contrary of what is said of a finding, or of what the model says of it; from
 * indeterminate back to what the model says.
 *
 * @param {Finding} finding
 * @param {Draft["findings"]} said
 * @returns {Call}
 */
export function contrary(finding, said) {
  const call = said[finding.label] ?? callOf(finding);
  if (call === "indeterminate") return callOf(finding);
  return call === "present" ? "absent" : "present";
}

/**
 * Judge the reason; judging it so again takes it back. What speaks against it goes with "unsound".
 *
 * @param {Reasoned} draft
 * @param {Reasoning} reasoning
 * @param {Reason[]} known
 * @returns {Reasoned}
 */
export function judge({ reasons, reasoning: before }, reasoning, known) {
  if (reasoning !== before && reasoning === "unsound") return { reasons, reasoning };
  const kept = reasons.filter((key) => !of("reasoning", known).includes(key));
  return { reasons: kept, reasoning: reasoning === before ? null : reasoning };
}

/**
 * Give a reason, or take it back; one that speaks of the model's reason calls that unsound.
 *
 * @param {Reasoned} draft
 * @param {Reason} reason
 * @param {Reason[]} known
 * @returns {Reasoned}
 */
export function toggle({ reasons, reasoning }, { key, of: what }, known) {
  const kept = reasons.includes(key) ? reasons.filter((other) => other !== key) : [...reasons, key];
  if (what === "answer") return { reasons: kept, reasoning };
  return { reasons: kept, reasoning: has("reasoning", kept, known) ? "unsound" : null };
}

/** @param {Opinion | null} opinion */
export function takesAnswerReasons(opinion) {
  return opinion !== null && opinion !== "accept";
}

/** @param {Opinion | null} opinion */
export function takesCorrection(opinion) {
  return opinion === "modify" || opinion === "reject";
}

/**
 * What of a draft its opinion has no place for is dropped.
 *
 * @param {Pick<Draft, "opinion" | "reasons" | "corrected">} draft
 * @param {Reason[]} known
 */
export function tidied({ opinion, reasons, corrected }, known) {
  const kept = takesAnswerReasons(opinion) ? reasons
    : reasons.filter((key) => of("reasoning", known).includes(key));
  return { reasons: kept, corrected: takesCorrection(opinion) ? corrected : null };
}

/**
 * What a draft lacks before it can be signed, in words, or null.
 *
 * @param {Draft} draft
 * @param {Pick<Case, "prediction" | "maps">} opened
 * @param {Pick<Site, "needs" | "reasons">} site
 */
export function missing(draft, { prediction, maps }, { needs, reasons }) {
  if (!draft.opinion) return "Choose a verdict: A, M, R or U.";
  const findings = prediction?.findings ?? [];
  const [unasked] = unsaid(draft, findings);
  if (unasked) return `Say of ${unasked} whether it is present; A says what the model says.`;
  const needed = needs[draft.opinion];
  const changed = draft.corrected || findings.some((finding) => differs(finding, draft.findings));
  if (draft.opinion === "reject" && draft.corrected && draft.corrected === prediction?.label) {
    return `${draft.corrected} is what the model says: accept it (A).`;
  }
  const change = findings.length ? "a finding (E, L)" : "a class (L)";
  if (needed === "reason" && !changed && !has("answer", draft.reasons, reasons)) {
    return draft.reasoning === "unsound" ? "Is the answer wrong, too? Say what is. If only the reason is, accept (A)."
      : `Say what is wrong: ${keys("answer", reasons)}, or ${change}.`;
  }
  if (needed === "change" && !changed && !draft.boxes.length && !draft.comment.trim()) {
    return `Say what is modified: ${change}, a box (B) or a comment (T).`;
  }
  return draft.reasoning === "unsound" && !isSupported(draft, maps, reasons)
    ? `Say why it is unsound: ${keys("reasoning", reasons)}, a map (G, O) or a comment (T).` : null;
}

/**
 * Whether something says why a reason is unsound.
 *
 * @param {Draft} draft
 * @param {Case["maps"]} maps
 * @param {Reason[]} known
 */
function isSupported({ reasons, plausibility, comment }, maps, known) {
  return has("reasoning", reasons, known) || comment.trim() !== ""
    || maps.some(({ picture }) => picture !== null && plausibility[picture] === "implausible");
}

/**
 * The findings asked about of which an opinion on the whole answer says nothing.
 *
 * @param {Answer} draft
 * @param {Finding[]} findings
 */
function unsaid({ opinion, findings: said }, findings) {
  if (opinion !== "accept" && opinion !== "modify") return [];
  return findings.filter(({ label, asked }) => asked && !(label in said)).map(({ label }) => label);
}

/**
 * What was said, and of the other findings asked about what the model says.
 *
 * @param {Draft["findings"]} said
 * @param {Finding[]} findings
 */
function completed(said, findings) {
  return pick(judgedOf(findings, said), (finding) => said[finding.label] ?? callOf(finding));
}

/**
 * @param {Finding} finding
 * @param {Draft["findings"]} said
 */
function differs(finding, { [finding.label]: call }) {
  return call !== undefined && call !== callOf(finding);
}

/**
 * @param {Finding[]} findings
 * @param {(finding: Finding) => Call | false} call false leaves the finding out
 * @returns {Draft["findings"]}
 */
function pick(findings, call) {
  return Object.fromEntries(findings.flatMap((finding) => {
    const found = call(finding);
    return found ? [[finding.label, found]] : [];
  }));
}

/**
 * @param {Reason["of"]} what
 * @param {Reason[]} known
 */
function of(what, known) {
  return known.filter((reason) => reason.of === what).map(({ key }) => key);
}

/**
 * @param {Reason["of"]} what
 * @param {string[]} given
 * @param {Reason[]} known
 */
function has(what, given, known) {
  return of(what, known).some((key) => given.includes(key));
}

/**
 * The keys of the reasons of a kind, as the keyboard has them.
 *
 * @param {Reason["of"]} what
 * @param {Reason[]} known
 */
function keys(what, known) {
  return known.flatMap((reason, index) => (reason.of === what ? [index + 1] : [])).join(", ");
}
