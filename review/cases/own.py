"""What a reader has said of a prediction before, for their screen to go on from."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.tables import Explanation, Verdict
from db.types import Call, Opinion, Reasoning
from db.verdicts import is_current
from review.access.links import issuer_words
from review.state.consensus import reasoning_of


@dataclass(frozen=True)
class EarlierVerdict:
    """A verdict of this reader on this prediction.

    Attributes:
        plausibility: What was said of maps, by `picture_of`.
        by_link_of: Whose link opened the session, if not the reader's own; in words.
    """

    id: int
    opinion: Opinion
    reasons: tuple[str, ...]
    corrected_label: str | None
    findings: Mapping[str, Call]
    reasoning: Reasoning | None
    plausibility: Mapping[str, str]
    comment: str
    boxes: tuple[Mapping[str, float], ...]
    current: bool
    created_at: datetime
    by_link_of: str | None


def earlier_verdicts(
    session: Session, reader_id: int | None, prediction_id: int
) -> tuple[EarlierVerdict, ...]:
    """Return an account's verdicts on a prediction, the newest first."""
    rows = session.execute(
        select(Verdict, is_current())
        .where(Verdict.prediction_id == prediction_id, Verdict.reader_id == reader_id)
        .order_by(Verdict.id.desc())
    )
    return tuple(
        EarlierVerdict(
            id=verdict.id,
            opinion=verdict.opinion,
            reasons=tuple(verdict.reasons),
            corrected_label=verdict.corrected_label,
            findings={name: Call(call) for name, call in (verdict.findings or {}).items()},
            reasoning=reasoning_of(verdict),
            plausibility=_judged(verdict),
            comment=verdict.comment,
            boxes=tuple(verdict.boxes),
            current=current,
            created_at=verdict.created_at,
            by_link_of=issuer_words(verdict.evidence),
        )
        for verdict, current in rows
    )


def pictures(session: Session, prediction_id: int) -> tuple[str, ...]:
    """Return the maps that can be opened: of each class, method and recipe the newest."""
    rows = session.execute(
        select(
            Explanation.method, Explanation.target, Explanation.artifact_sha256, Explanation.recipe
        )
        .where(Explanation.prediction_id == prediction_id)
        .order_by(Explanation.id)
    )
    newest = {(method, target, str(recipe)): sha for method, target, sha, recipe in rows}
    return tuple(picture_of(method, target, sha) for (method, target, _), sha in newest.items())


def picture_of(method: str, target: int | None, artifact_sha256: str) -> str:
    """Return what names a map by how it looks, whatever record of it is the newest."""
    return f"{target}/{method}/{artifact_sha256[:16]}"


def _judged(verdict: Verdict) -> dict[str, str]:
    """Return what a verdict says of maps, by how they looked when it was signed."""
    looks = {
        str(shown["explanation_id"]): picture_of(shown["method"], shown["target"], shown["sha256"])
        for shown in verdict.evidence.get("maps", [])
    }
    return {looks[key]: said for key, said in verdict.plausibility.items() if key in looks}
