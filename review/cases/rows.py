"""The lines of the worklist: what is shown of each case."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from sqlalchemy import Executable, select
from sqlalchemy.orm import Session

from db.tables import Account, Case, Job, Model, Prediction, TriageFlag, Verdict
from db.types import CaseStatus, JobStatus, Opinion, TriageReason
from db.verdicts import is_current
from review.cases.studies import Standing, standings
from review.policy import Actor
from review.state.acquired import acquired
from review.state.consensus import Consensus, of_cases
from review.state.knowledge import known_status, may_know, may_know_flag

Line = TypeVar("Line")

WAITING = (JobStatus.QUEUED, JobStatus.RUNNING)


@dataclass(frozen=True)
class PredictionLine:
    """One model's answer, and how certain it is."""

    model: str
    version: str
    answer: str
    certainty: float


@dataclass(frozen=True)
class VerdictLine:
    """One reader's current verdict."""

    reader_id: int
    reader: str
    opinion: Opinion
    model: str


@dataclass(frozen=True)
class WorklistRow:
    """One case, as far as the viewer may know of it.

    Attributes:
        case_id: Its number.
        status: Where it stands, as `review.state.knowledge.known_status` has it.
        has_thumbnail: Whether there is a small picture of it.
        synthetic: Whether it is a phantom.
        modality: As DICOM says, where it does.
        laterality: As DICOM says, where it does.
        view_position: As DICOM says, where it does.
        standing: Where it stands in its study, and how many frames it has.
        predictions: By model.
        flags: Why it needs an engineer.
        verdicts: The current ones, oldest first.
        consensus: What they say together; None where there is none, or the viewer may not know one.
        progress: Share of its waiting and running jobs that is done; None without any.
        stage: What its running job does.
        error: Why its last job failed.
        created_at: When it came in.
    """

    case_id: int
    status: CaseStatus
    has_thumbnail: bool
    synthetic: bool
    modality: str | None
    laterality: str | None
    view_position: str | None
    standing: Standing
    predictions: tuple[PredictionLine, ...]
    flags: tuple[TriageReason, ...]
    verdicts: tuple[VerdictLine, ...]
    consensus: Consensus | None
    progress: float | None
    stage: str | None
    error: str | None
    created_at: datetime


@dataclass(frozen=True)
class _JobLine:
    status: JobStatus
    n_done: int
    n_total: int
    stage: str
    error: str | None


def rows_of(session: Session, ids: Sequence[int], by: Actor) -> tuple[WorklistRow, ...]:
    """Return the lines of these cases, in this order, as far as the viewer may know of them."""
    cases = select(Case, known_status(by)).where(Case.id.in_(ids))
    found = {row.id: (row, CaseStatus(status)) for row, status in session.execute(cases)}
    predictions = _grouped(session, _predictions(ids), PredictionLine)
    verdicts = _grouped(session, _verdicts(ids, by), VerdictLine)
    flags = _grouped(session, _flags(ids, by), TriageReason)
    jobs = _grouped(session, _jobs(ids), _JobLine)
    stands = standings(session, ids)
    together = of_cases(session, [i for i in _open(session, ids, by) if i in verdicts])
    return tuple(
        _row(
            *found[case_id],
            stands[case_id],
            predictions.get(case_id, []),
            verdicts.get(case_id, []),
            flags.get(case_id, []),
            jobs.get(case_id, []),
            together.get(case_id),
        )
        for case_id in ids
    )


def _row(
    of: Case,
    status: CaseStatus,
    standing: Standing,
    predictions: list[PredictionLine],
    verdicts: list[VerdictLine],
    flags: list[TriageReason],
    jobs: list[_JobLine],
    together: Consensus | None,
) -> WorklistRow:
    waiting = [job for job in jobs if job.status in WAITING]
    shares = [job.n_done / job.n_total if job.n_total else 0.0 for job in waiting]
    return WorklistRow(
        case_id=of.id,
        status=status,
        has_thumbnail=of.thumbnail_sha256 is not None,
        synthetic=of.synthetic,
        **acquired(of),
        standing=standing,
        predictions=tuple(predictions),
        flags=tuple(flags),
        verdicts=tuple(verdicts),
        consensus=together,
        progress=sum(shares) / len(shares) if shares else None,
        stage=next((job.stage for job in waiting if job.status is JobStatus.RUNNING), None),
        error=next((job.error for job in reversed(jobs) if job.error), None),
        created_at=of.created_at,
    )


def _predictions(ids: Sequence[int]) -> Executable:
    return (
        select(
            Prediction.case_id, Model.name, Model.version, Prediction.answer, Prediction.certainty
        )
        .join(Model, Model.id == Prediction.model_id)
        .where(Prediction.case_id.in_(ids))
        .order_by(Model.name, Model.version)
    )


def _verdicts(ids: Sequence[int], by: Actor) -> Executable:
    return (
        select(Verdict.case_id, Account.id, Account.display_name, Verdict.opinion, Model.name)
        .join(Account, Account.id == Verdict.reader_id)
        .join(Prediction, Prediction.id == Verdict.prediction_id)
        .join(Model, Model.id == Prediction.model_id)
        .where(Verdict.case_id.in_(ids), is_current())
        .where(may_know(by, Verdict.prediction_id.expression))
        .order_by(Verdict.id)
    )


def _flags(ids: Sequence[int], by: Actor) -> Executable:
    return (
        select(TriageFlag.case_id, TriageFlag.reason)
        .where(TriageFlag.case_id.in_(ids), may_know_flag(by))
        .distinct()
        .order_by(TriageFlag.reason)
    )


def _open(session: Session, ids: Sequence[int], by: Actor) -> list[int]:
    """Return the cases of which the viewer may know every verdict, also one to come.

    Where another prediction is still secret, an answer that came or not would tell of it.
    """
    secret = select(Prediction.case_id).where(
        Prediction.case_id.in_(ids), ~may_know(by, Prediction.id.expression)
    )
    hidden = set(session.scalars(secret))
    return [case_id for case_id in ids if case_id not in hidden]


def _jobs(ids: Sequence[int]) -> Executable:
    return (
        select(Job.case_id, Job.status, Job.n_done, Job.n_total, Job.stage, Job.error)
        .where(Job.case_id.in_(ids), Job.status != JobStatus.DONE)
        .order_by(Job.id)
    )


def _grouped(
    session: Session, statement: Executable, line: Callable[..., Line]
) -> dict[int, list[Line]]:
    """Return a line made of each row's other columns, by its first: the case."""
    groups: dict[int, list[Line]] = {}
    for case_id, *columns in session.execute(statement):
        groups.setdefault(case_id, []).append(line(*columns))
    return groups
