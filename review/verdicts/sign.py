"""Signing, superseding and withdrawing verdicts, each bound to the evidence that was shown."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from db import drafts
from db import verdicts as chain
from db.access import account
from db.errors import ConflictError, NotFoundError
from db.tables import Account, Case, Model, Prediction, Setting, Verdict
from db.types import Call, Opinion, Reasoning
from db.verdicts import is_current
from review.access import links
from review.digests import digest
from review.errors import StaleCaseError, VerdictError
from review.policy import Action, Actor, insist
from review.software import versions
from review.state.answers import answer_of, calls_of
from review.state.consensus import reasoning_of
from review.state.flags import refresh_flags
from review.state.held import insist_passed
from review.state.knowledge import open_to
from review.state.status import refresh_status
from review.verdicts import asked
from review.verdicts.complete import Question, check
from review.verdicts.draft import MAX_COMMENT, VerdictDraft, check_ids
from review.verdicts.evidence import evidence_of, evidence_token
from review.words import OPINION_NAMES
from review.workspace import Workspace

__all__ = [
    "MAX_COMMENT",
    "VerdictDraft",
    "VerdictView",
    "evidence_token",
    "history",
    "record",
    "withdraw",
]


CIRCUMSTANCES = ("reader", "others_open", "software", "session")
"""Parts of the evidence beside what was shown: who signs, having had the chance to see which of
others' verdicts on the case, with which software, having come by whose link if not their own."""


@dataclass(frozen=True)
class VerdictView:
    """A signed verdict as screens show it.

    `unblinded` says that others' verdicts on the case were open to its reader before it; None where
    an older version did not record it. `by_link_of` names who made the link by which its reader had
    come, if it was not the reader.
    """

    id: int
    case_id: int
    prediction_id: int
    reader: str
    opinion: Opinion
    reasons: tuple[str, ...]
    corrected_label: str | None
    findings: Mapping[str, Call]
    reasoning: Reasoning | None
    comment: str
    current: bool
    unblinded: bool | None
    created_at: datetime
    by_link_of: str | None = None


def record(ws: Workspace, reader_id: int, draft: VerdictDraft) -> VerdictView:
    """Sign a verdict; an earlier one of this reader on the same prediction is superseded.

    Raises:
        AccessError: If this account may not sign.
        VerdictError: If the verdict is incomplete or contradicts itself.
        StaleCaseError: If the evidence has changed since it was shown, or the reader has signed or
            withdrawn another verdict since.
        HeldError: If the case is held back.
        ConflictError: If the request was recorded before with another content.
    """
    with ws.begin() as session:
        insist(session, reader_id, Action.SIGN)
        chain.lock(session)
        recorded = chain.of_request(session, draft.request_id)
        if recorded is not None:
            _check_same(recorded, reader_id, draft)
            return _view(session, recorded)
        evidence = evidence_of(session, draft.prediction_id, draft.explanation_ids)
        if evidence["case_id"] != draft.case_id or digest(evidence) != draft.evidence_token:
            raise StaleCaseError(
                f"case {draft.case_id}, or what is asked about it, has changed since it was shown: "
                "nothing was signed; look at it again and sign once more"
            )
        insist_passed(session.get(Case, draft.case_id), case_id=draft.case_id)
        _check(session, draft)
        earlier = chain.latest(session, prediction_id=draft.prediction_id, reader_id=reader_id)
        _check_supersedes(earlier, draft)
        verdict = Verdict(
            **_signed(reader_id, draft),
            evidence=evidence | _circumstances(session, reader_id, draft.case_id),
            supersedes_id=earlier.id if earlier else None,
        )
        chain.append(session, verdict)
        drafts.purge(session, reader_id, verdict.prediction_id)
        _settle(session, verdict.case_id)
        return _view(session, verdict)


def withdraw(ws: Workspace, reader_id: int, verdict_id: int, request_id: str) -> VerdictView:
    """Undo a verdict by superseding it with a withdrawal.

    Raises:
        AccessError: If this account may not sign.
        NotFoundError: If there is no such verdict.
        VerdictError: If it is another reader's, not current any more, or an id is none.
        ConflictError: If the request id was used for something else.
    """
    check_ids(request_id, verdict_id)
    with ws.begin() as session:
        insist(session, reader_id, Action.SIGN)
        chain.lock(session)
        verdict = session.get(Verdict, verdict_id)
        if verdict is None:
            raise NotFoundError(f"verdict {verdict_id} does not exist")
        if verdict.reader_id != reader_id:
            raise VerdictError("only the reader who signed a verdict can withdraw it")
        recorded = chain.of_request(session, request_id)
        if recorded is not None and recorded.supersedes_id == verdict.id:
            return _view(session, recorded)
        last = chain.latest(session, prediction_id=verdict.prediction_id, reader_id=reader_id)
        if last is not verdict or verdict.opinion is Opinion.WITHDRAWN:
            raise VerdictError("this verdict was superseded already: there is nothing to undo")
        withdrawal = chain.append(session, _withdrawal_of(session, verdict, request_id))
        _settle(session, verdict.case_id)
        return _view(session, withdrawal)


def history(ws: Workspace, case_id: int, *, by: Actor) -> tuple[VerdictView, ...]:
    """Return every verdict on a case, the oldest first."""
    with ws.read() as session:
        insist(session, by, Action.KNOW_VERDICTS)
        return _views(session, Verdict.case_id == case_id)


def _settle(session: Session, case_id: int) -> None:
    """Bring a case's status and flags up to date with its verdicts."""
    refresh_status(session, case_id)
    refresh_flags(session, case_id)


def _check(session: Session, draft: VerdictDraft) -> None:
    prediction, model, case, of_site = session.execute(
        select(Prediction, Model, Case, Setting)
        .join(Model, Model.id == Prediction.model_id)
        .join(Case, Case.id == Prediction.case_id)
        .outerjoin(Setting, Setting.key == asked.KEY)
        .where(Prediction.id == draft.prediction_id)
    ).one()
    question = Question(
        classes=tuple(model.card["classes"]),
        predicted=prediction.label,
        calls=calls_of(prediction, model.card),
        asked=asked.asked_of(model.card, answer_of(prediction, model.card), of_site),
    )
    check(draft, question, width_px=case.width_px, height_px=case.height_px)


def _check_supersedes(earlier: Verdict | None, draft: VerdictDraft) -> None:
    """Refuse to supersede a verdict, or to follow a withdrawal, that the reader was not shown."""
    withdrawn = earlier is not None and earlier.opinion is Opinion.WITHDRAWN
    standing_id = earlier.id if earlier and not withdrawn else None
    if standing_id == draft.supersedes_id:
        return
    if earlier is None:
        raise VerdictError("there is no verdict of yours on this prediction to supersede")
    did = "withdrew your verdict" if withdrawn else f"signed {OPINION_NAMES[earlier.opinion]}"
    then = "sign again" if withdrawn else "sign again to supersede it"
    raise StaleCaseError(
        f"you {did} at {earlier.created_at:%H:%M} UTC in another window or browser: nothing was "
        f"signed now; look at it, then {then}"
    )


def _signed(reader_id: int, draft: VerdictDraft) -> dict[str, Any]:
    """Return the columns that hold what the reader sent."""
    return {
        "request_id": draft.request_id,
        "case_id": draft.case_id,
        "prediction_id": draft.prediction_id,
        "reader_id": reader_id,
        "opinion": draft.opinion,
        "reasons": list(draft.reasons),
        "corrected_label": draft.corrected_label,
        "findings": {name: call.value for name, call in draft.findings.items()},
        "reasoning": draft.reasoning,
        "plausibility": {str(key): value.value for key, value in draft.plausibility.items()},
        "comment": draft.comment.strip(),
        "boxes": [dict(box) for box in draft.boxes],
        "exposure": draft.exposure,
        "active_seconds": round(draft.active_seconds, 1),
    }


def _check_same(recorded: Verdict, reader_id: int, draft: VerdictDraft) -> None:
    """Refuse a request id that signed something else; the software may have changed since."""
    shown = {k: value for k, value in recorded.evidence.items() if k not in CIRCUMSTANCES}
    sent = _signed(reader_id, draft)
    same = all(getattr(recorded, name) == value for name, value in sent.items())
    if not same or digest(shown) != draft.evidence_token:
        raise ConflictError("this request was already recorded with another content")


def _circumstances(session: Session, reader_id: int, case_id: int) -> dict[str, Any]:
    """Return what is signed beside what the screen showed (`CIRCUMSTANCES`)."""
    reader = {"account_id": reader_id, "name": account(session, reader_id).name}
    others = open_to(session, reader_id, case_id)
    came = {"by_link_of": links.by_link_of(session, reader_id)}
    return dict(zip(CIRCUMSTANCES, (reader, others, versions(), came), strict=True))


def _withdrawal_of(session: Session, verdict: Verdict, request_id: str) -> Verdict:
    return Verdict(
        request_id=request_id,
        case_id=verdict.case_id,
        prediction_id=verdict.prediction_id,
        reader_id=verdict.reader_id,
        opinion=Opinion.WITHDRAWN,
        reasons=[],
        findings={},
        plausibility={},
        comment="",
        boxes=[],
        exposure=verdict.exposure,
        active_seconds=0.0,
        evidence=verdict.evidence | _circumstances(session, verdict.reader_id, verdict.case_id),
        supersedes_id=verdict.id,
    )


def _view(session: Session, verdict: Verdict) -> VerdictView:
    (view,) = _views(session, Verdict.id == verdict.id)
    return view


def _views(session: Session, chosen: ColumnElement[bool]) -> tuple[VerdictView, ...]:
    """Return the chosen verdicts, the oldest first."""
    rows = session.execute(
        select(Verdict, Account.display_name, is_current())
        .join(Account, Account.id == Verdict.reader_id)
        .where(chosen)
        .order_by(Verdict.id)
    )
    return tuple(
        VerdictView(
            id=verdict.id,
            case_id=verdict.case_id,
            prediction_id=verdict.prediction_id,
            reader=reader,
            opinion=verdict.opinion,
            reasons=tuple(verdict.reasons),
            corrected_label=verdict.corrected_label,
            findings={name: Call(call) for name, call in (verdict.findings or {}).items()},
            reasoning=reasoning_of(verdict),
            comment=verdict.comment,
            current=current,
            unblinded=_unblinded(verdict),
            created_at=verdict.created_at,
            by_link_of=links.issuer_words(verdict.evidence),
        )
        for verdict, reader, current in rows
    )


def _unblinded(verdict: Verdict) -> bool | None:
    others = verdict.evidence.get("others_open")
    return None if others is None else bool(others)
