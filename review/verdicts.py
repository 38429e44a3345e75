"""Signing, superseding and withdrawing verdicts, each bound to the evidence that was shown."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from db import verdicts as chain
from db.errors import NotFoundError
from db.tables import Account, Case, Explanation, Model, Prediction, Verdict
from db.types import CaseStatus, Exposure, Opinion, Plausibility
from review.errors import StaleCaseError, VerdictError
from review.flags import refresh_flags
from review.software import versions
from review.workspace import Workspace

MAX_COMMENT = 4000
MAX_BOXES = 50
REASONS = {
    "wrong_finding": "Wrong finding",
    "missed_finding": "Finding missed",
    "wrong_place": "Wrong place",
    "looks_at_marker": "Looks at a marker or text",
    "looks_outside": "Looks outside the anatomy",
    "image_quality": "Image quality",
    "other": "Other",
}


@dataclass(frozen=True)
class VerdictDraft:
    """What a reader sends to be signed.

    Attributes:
        request_id: Unique per act of signing, made by the browser: sent twice, it signs once.
        case_id: The case on the reader's screen.
        prediction_id: The prediction on the reader's screen.
        opinion: The judgement of the prediction.
        evidence_token: What `evidence_token` gave for the screen, handed back.
        explanation_ids: The explanations on the screen.
        reasons: Keys of `REASONS`; at least one when rejecting.
        corrected_label: The class the reader gives instead.
        plausibility: Judgement of explanations, by explanation id.
        comment: Free text.
        boxes: Mappings of x, y, width, height in image pixels.
        exposure: What of the model's output the reader had seen.
        active_seconds: Time the reader spent on the case.
    """

    request_id: str
    case_id: int
    prediction_id: int
    opinion: Opinion
    evidence_token: str
    explanation_ids: tuple[int, ...] = ()
    reasons: tuple[str, ...] = ()
    corrected_label: str | None = None
    plausibility: Mapping[int, Plausibility] = field(default_factory=dict)
    comment: str = ""
    boxes: tuple[Mapping[str, float], ...] = ()
    exposure: Exposure = Exposure.EXPLANATION
    active_seconds: float = 0.0


@dataclass(frozen=True)
class VerdictView:
    """A signed verdict as screens show it."""

    id: int
    case_id: int
    prediction_id: int
    reader: str
    opinion: Opinion
    reasons: tuple[str, ...]
    corrected_label: str | None
    comment: str
    current: bool
    created_at: datetime


def record(ws: Workspace, reader_id: int, draft: VerdictDraft) -> VerdictView:
    """Sign a verdict; an earlier one of this reader on the same prediction is superseded.

    Raises:
        VerdictError: If the verdict is incomplete or contradicts itself.
        StaleCaseError: If the evidence has changed since it was shown.
        ConflictError: If the request was recorded before with another content.
    """
    with ws.begin() as session:
        evidence = _evidence(session, draft.prediction_id, draft.explanation_ids)
        if evidence["case_id"] != draft.case_id or token_of(evidence) != draft.evidence_token:
            raise StaleCaseError(
                f"case {draft.case_id} has changed since it was shown: nothing was signed; "
                "look at it again and sign once more"
            )
        _check(session, draft)
        verdict = chain.append(
            session, _row(session, reader_id, draft, {**evidence, "software": versions()})
        )
        _after(session, verdict.case_id)
        return _view(session, verdict)


def withdraw(ws: Workspace, reader_id: int, verdict_id: int, request_id: str) -> VerdictView:
    """Undo a verdict by superseding it with a withdrawal.

    Raises:
        NotFoundError: If there is no such verdict.
        VerdictError: If it is another reader's, or not current any more.
    """
    with ws.begin() as session:
        verdict = session.get(Verdict, verdict_id)
        if verdict is None:
            raise NotFoundError(f"verdict {verdict_id} does not exist")
        if verdict.reader_id != reader_id:
            raise VerdictError("only the reader who signed a verdict can withdraw it")
        withdrawal = session.scalar(select(Verdict).where(Verdict.request_id == request_id))
        if withdrawal is None:
            last = chain.latest(session, prediction_id=verdict.prediction_id, reader_id=reader_id)
            if last is not verdict or verdict.opinion is Opinion.WITHDRAWN:
                raise VerdictError("this verdict was superseded already: there is nothing to undo")
            withdrawal = chain.append(
                session,
                Verdict(
                    request_id=request_id,
                    case_id=verdict.case_id,
                    prediction_id=verdict.prediction_id,
                    reader_id=reader_id,
                    opinion=Opinion.WITHDRAWN,
                    reasons=[],
                    corrected_label=None,
                    plausibility={},
                    comment="",
                    boxes=[],
                    exposure=verdict.exposure,
                    active_seconds=0.0,
                    evidence=verdict.evidence,
                    supersedes_id=verdict.id,
                ),
            )
            _after(session, verdict.case_id)
        return _view(session, withdrawal)


def history(ws: Workspace, case_id: int) -> tuple[VerdictView, ...]:
    """Return every verdict on a case, the oldest first."""
    with ws.read() as session:
        found = session.scalars(
            select(Verdict).where(Verdict.case_id == case_id).order_by(Verdict.id)
        ).all()
        return tuple(_view(session, verdict) for verdict in found)


def evidence_token(session: Session, prediction_id: int, explanation_ids: Sequence[int]) -> str:
    """Return the hash of everything a screen shows: image, model, scores and maps."""
    return token_of(_evidence(session, prediction_id, explanation_ids))


def token_of(evidence: Mapping[str, Any]) -> str:
    """Return the SHA-256 of an evidence mapping."""
    return hashlib.sha256(json.dumps(evidence, sort_keys=True).encode()).hexdigest()


def _evidence(
    session: Session, prediction_id: int, explanation_ids: Sequence[int]
) -> dict[str, Any]:
    row = session.execute(
        select(Prediction, Case, Model)
        .join(Case, Case.id == Prediction.case_id)
        .join(Model, Model.id == Prediction.model_id)
        .where(Prediction.id == prediction_id)
    ).one_or_none()
    if row is None:
        raise NotFoundError(f"prediction {prediction_id} does not exist")
    prediction, case, model = row
    maps = session.scalars(
        select(Explanation)
        .where(Explanation.id.in_(explanation_ids), Explanation.prediction_id == prediction_id)
        .order_by(Explanation.id)
    ).all()
    if len(maps) != len(set(explanation_ids)):
        raise StaleCaseError("a map on the screen does not belong to this prediction")
    return {
        "case_id": case.id,
        "image_sha256": case.image_sha256,
        "model": f"{model.name} {model.version}",
        "weights_sha256": model.weights_sha256,
        "label": prediction.label,
        "score": prediction.score,
        "maps": [
            {
                "explanation_id": m.id,
                "method": m.method,
                "target": m.target,
                "sha256": m.artifact_sha256,
                "params": m.params,
            }
            for m in maps
        ],
    }


def _check(session: Session, draft: VerdictDraft) -> None:
    if draft.opinion is Opinion.WITHDRAWN:
        raise VerdictError("a verdict is withdrawn by undoing it")
    if unknown := set(draft.reasons) - REASONS.keys():
        raise VerdictError(f"unknown reasons: {', '.join(sorted(unknown))}")
    if draft.opinion is Opinion.REJECT and not draft.reasons:
        raise VerdictError("choose at least one reason for rejecting")
    changed = draft.corrected_label or draft.boxes or draft.comment.strip()
    if draft.opinion is Opinion.MODIFY and not changed:
        raise VerdictError("say what is modified: a class, a box or a comment")
    if draft.opinion is Opinion.ACCEPT and draft.corrected_label:
        raise VerdictError(
            "an accepted prediction has no corrected class: accept with modification"
        )
    if len(draft.comment) > MAX_COMMENT:
        raise VerdictError(
            f"the comment has {len(draft.comment)} characters; allowed are {MAX_COMMENT}"
        )
    if not set(draft.plausibility) <= set(draft.explanation_ids):
        raise VerdictError("only explanations on the screen can be judged")
    _check_label(session, draft)
    _check_boxes(session, draft)


def _check_label(session: Session, draft: VerdictDraft) -> None:
    if draft.corrected_label is None:
        return
    card = session.scalar(
        select(Model.card)
        .join(Prediction, Prediction.model_id == Model.id)
        .where(Prediction.id == draft.prediction_id)
    )
    if card is None or draft.corrected_label not in card["classes"]:
        raise VerdictError(f"{draft.corrected_label!r} is not a class of this model")


def _check_boxes(session: Session, draft: VerdictDraft) -> None:
    case = session.get_one(Case, draft.case_id)
    if len(draft.boxes) > MAX_BOXES:
        raise VerdictError(f"{len(draft.boxes)} boxes; allowed are {MAX_BOXES}")
    for box in draft.boxes:
        if box.keys() != {"x", "y", "width", "height"}:
            raise VerdictError("a box has x, y, width and height")
        inside = (
            box["x"] >= 0
            and box["y"] >= 0
            and box["width"] > 0
            and box["height"] > 0
            and box["x"] + box["width"] <= case.width_px
            and box["y"] + box["height"] <= case.height_px
        )
        if not inside:
            raise VerdictError(f"a box lies outside the image of case {case.id}")


def _row(
    session: Session, reader_id: int, draft: VerdictDraft, evidence: dict[str, Any]
) -> Verdict:
    earlier = chain.latest(session, prediction_id=draft.prediction_id, reader_id=reader_id)
    return Verdict(
        request_id=draft.request_id,
        case_id=draft.case_id,
        prediction_id=draft.prediction_id,
        reader_id=reader_id,
        opinion=draft.opinion,
        reasons=list(draft.reasons),
        corrected_label=draft.corrected_label,
        plausibility={str(key): value.value for key, value in draft.plausibility.items()},
        comment=draft.comment.strip(),
        boxes=[dict(box) for box in draft.boxes],
        exposure=draft.exposure,
        active_seconds=round(draft.active_seconds, 1),
        evidence=evidence,
        supersedes_id=earlier.id if earlier else None,
    )


def _after(session: Session, case_id: int) -> None:
    """Bring the case's status and flags up to date with its verdicts."""
    judged = session.scalar(
        select(Verdict.id).where(Verdict.case_id == case_id, chain.is_current()).limit(1)
    )
    case = session.get_one(Case, case_id)
    case.status = CaseStatus.READY if judged is None else CaseStatus.REVIEWED
    refresh_flags(session, case_id)


def _view(session: Session, verdict: Verdict) -> VerdictView:
    newer = session.scalar(select(Verdict.id).where(Verdict.supersedes_id == verdict.id))
    return VerdictView(
        id=verdict.id,
        case_id=verdict.case_id,
        prediction_id=verdict.prediction_id,
        reader=session.get_one(Account, verdict.reader_id).display_name,
        opinion=verdict.opinion,
        reasons=tuple(verdict.reasons),
        corrected_label=verdict.corrected_label,
        comment=verdict.comment,
        current=newer is None and verdict.opinion is not Opinion.WITHDRAWN,
        created_at=verdict.created_at,
    )
