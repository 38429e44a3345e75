"""Why a prediction needs an engineer: flags derived from scores, trust measures and verdicts."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from db import verdicts as chain
from db.tables import Explanation, Model, Prediction, TriageFlag, Verdict
from db.types import Opinion, Plausibility, Reasoning, TriageReason, now
from review.catalogue import PAIR
from review.state import consensus
from review.state.answers import calls_of
from review.state.consensus import Agreed
from review.state.reasons import REASONS, Of, keys_of
from review.words import METHOD_NAMES
from xai_core.measures.badges import Badge, caution_limit

LOW_CERTAINTY = 0.6
MAX_DETAIL = 300
OF_REASONING = keys_of(Of.REASONING)

FLAG_NAMES = {
    TriageReason.REJECTED: "Rejected",
    TriageReason.MODIFIED: "Accepted with modification",
    TriageReason.UNSOUND_REASONING: "Reason rejected",
    TriageReason.READERS_DISAGREE: "Readers disagree",
    TriageReason.IMPLAUSIBLE_EXPLANATION: "Explanation implausible",
    TriageReason.CORNER_ATTRIBUTION: "Attribution in the corners",
    TriageReason.MAPS_DISAGREE: "Maps disagree",
    TriageReason.LOW_CONFIDENCE: "Low confidence",
    TriageReason.UNTRUSTWORTHY_MAP: "Map not trustworthy",
}
"""What flags are called, in the order in which screens list them."""


class Finding(NamedTuple):
    """That a flag holds, in words; and since when, where that is not now."""

    reason: TriageReason
    detail: str
    since: datetime | None = None


def refresh_flags(session: Session, case_id: int) -> None:
    """Recompute the flags of a case; a flag that still holds keeps its row and its time."""
    session.flush()
    standing = {
        (flag.prediction_id, flag.reason): flag
        for flag in session.scalars(select(TriageFlag).where(TriageFlag.case_id == case_id))
    }
    for prediction in session.scalars(select(Prediction).where(Prediction.case_id == case_id)):
        for reason, detail, since in _findings(session, prediction):
            flag = standing.pop((prediction.id, reason), None)
            if flag is None:
                flag = TriageFlag(case_id=case_id, prediction_id=prediction.id, reason=reason)
                flag.created_at = since or now()
                session.add(flag)
            flag.detail = detail[:MAX_DETAIL]
    for flag in standing.values():
        session.delete(flag)
    session.flush()


def _findings(session: Session, prediction: Prediction) -> Iterator[Finding]:
    if prediction.certainty < LOW_CERTAINTY:
        scored = f"{prediction.label} scored {prediction.score:.0%}"
        named = prediction.answer == prediction.label
        yield Finding(
            TriageReason.LOW_CONFIDENCE, scored if named else f"{prediction.answer}: {scored}"
        )
    maps = session.scalars(
        select(Explanation)
        .where(Explanation.prediction_id == prediction.id)
        .where(Explanation.target == prediction.target)
        .where(Explanation.method.in_(PAIR))  # what readers looked at besides flags no case
        .order_by(Explanation.id)
    )
    yield from _map_findings(list(maps))
    card = session.get_one(Model, prediction.model_id).card
    yield from _verdict_findings(chain.current(session, prediction.id), prediction, card)


def _map_findings(maps: list[Explanation]) -> Iterator[Finding]:
    corners = {_method_name(m): m.trust.get("corner_share") or 0.0 for m in maps}
    method, share = max(corners.items(), key=lambda item: item[1], default=("", 0.0))
    if share >= caution_limit("corner_share"):
        detail = f"{method}: {share:.0%} of what speaks for the class lies in the corners"
        yield Finding(TriageReason.CORNER_ATTRIBUTION, detail)
    agreements = [m.trust["agreement"]["spearman"] for m in maps if m.trust.get("agreement")]
    if agreements and (worst := min(agreements)) < caution_limit("agreement.spearman"):
        yield Finding(
            TriageReason.MAPS_DISAGREE, f"rank correlation of the two maps is {worst:.2f}"
        )
    poor = [m for m in maps if m.trust.get("badge") == Badge.POOR]
    if poor:
        why = "; ".join(poor[0].trust.get("reasons", ())) or "a trust measure failed"
        yield Finding(TriageReason.UNTRUSTWORTHY_MAP, f"{_method_name(poor[0])}: {why}")


def _verdict_findings(
    verdicts: Sequence[Verdict], prediction: Prediction, card: Mapping[str, Any]
) -> Iterator[Finding]:
    for opinion, reason in (
        (Opinion.REJECT, TriageReason.REJECTED),
        (Opinion.MODIFY, TriageReason.MODIFIED),
    ):
        such = [verdict for verdict in verdicts if verdict.opinion is opinion]
        if such:
            changed = {words for v in such for words in _changed(v, prediction, card)}
            yield Finding(reason, ", ".join(sorted(changed)) or "no class given")
    unsound = [v for v in verdicts if consensus.reasoning_of(v) is Reasoning.UNSOUND]
    if unsound:
        given = {REASONS[key].words for v in unsound for key in v.reasons if key in OF_REASONING}
        words = ", ".join(sorted(given)) or "see comment and maps"
        # Not since now: a case that was closed knowing this verdict is not opened again.
        yield Finding(TriageReason.UNSOUND_REASONING, words, unsound[-1].created_at)
    together = consensus.consensus(consensus.read(v, prediction, card) for v in verdicts)
    if disputed := together.such(Agreed.DISAGREEMENT):
        yield Finding(TriageReason.READERS_DISAGREE, f"on {', '.join(disputed)}")
    if any(Plausibility.IMPLAUSIBLE in v.plausibility.values() for v in verdicts):
        yield Finding(
            TriageReason.IMPLAUSIBLE_EXPLANATION, "a reader found an explanation implausible"
        )


def _changed(verdict: Verdict, prediction: Prediction, card: Mapping[str, Any]) -> Iterator[str]:
    """Yield in words what a reader says otherwise than the model."""
    if verdict.corrected_label:
        yield f"corrected to {verdict.corrected_label}"
    calls = calls_of(prediction, card) or {}
    for name, call in (verdict.findings or {}).items():
        if call != calls.get(name):
            yield f"{name} {call}"


def _method_name(explanation: Explanation) -> str:
    return METHOD_NAMES.get(explanation.method, explanation.method)
