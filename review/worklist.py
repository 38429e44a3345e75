"""The worklist: finding cases, and walking through them in the order on screen."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Executable, and_, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from db.tables import Account, Case, Job, Model, Prediction, TriageFlag, Verdict
from db.types import CaseStatus, JobStatus, Opinion, TriageReason
from db.verdicts import is_current
from review.workspace import Workspace

PAGE_SIZE = 50
READABLE = (CaseStatus.READY, CaseStatus.REVIEWED)


class Sort(StrEnum):
    """The order of the worklist."""

    OLDEST = "oldest"
    NEWEST = "newest"
    LEAST_CERTAIN = "least_certain"
    MOST_CERTAIN = "most_certain"


@dataclass(frozen=True)
class WorklistQuery:
    """What the worklist shows; None means any.

    Attributes:
        text: A case number, or part of a class, modality or reference label.
        status: Where the case stands.
        model_id: Predicted by this model version.
        label: Predicted as this class (by that model version, where one is given).
        flag: Flagged for this reason.
        reader_id: Judged by this reader.
        sort: The order.
        page: Page number, from 1.
    """

    text: str = ""
    status: CaseStatus | None = None
    model_id: int | None = None
    label: str | None = None
    flag: TriageReason | None = None
    reader_id: int | None = None
    sort: Sort = Sort.OLDEST
    page: int = 1

    def to_params(self) -> dict[str, str]:
        """Return the fields that differ from the default, as parameters of an address."""
        default = WorklistQuery()
        return {
            field.name: str(value)
            for field in fields(self)
            if (value := getattr(self, field.name)) != getattr(default, field.name)
        }

    @classmethod
    def from_params(cls, params: Mapping[str, str]) -> "WorklistQuery":
        """Read an address; a parameter that makes no sense is left out."""
        query = cls(text=params.get("text", "")[:100], label=params.get("label") or None)
        readers: dict[str, Any] = {
            "status": CaseStatus,
            "model_id": int,
            "flag": TriageReason,
            "reader_id": int,
            "sort": Sort,
            "page": lambda value: max(1, int(value)),
        }
        for name, read in readers.items():
            try:
                query = replace(query, **{name: read(params[name])})
            except (KeyError, ValueError):
                continue
        return query


@dataclass(frozen=True)
class PredictionLine:
    """One model's answer, as the worklist shows it."""

    model: str
    label: str
    score: float


@dataclass(frozen=True)
class WorklistRow:
    """One case, as the worklist shows it."""

    case_id: int
    status: CaseStatus
    synthetic: bool
    modality: str | None
    predictions: tuple[PredictionLine, ...]
    flags: tuple[TriageReason, ...]
    opinions: tuple[Opinion, ...]
    progress: float | None
    error: str | None
    created_at: datetime


@dataclass(frozen=True)
class WorklistPage:
    """One page of cases, and how many match over all pages."""

    rows: tuple[WorklistRow, ...]
    n_total: int


@dataclass(frozen=True)
class Choices:
    """What the filters can be set to."""

    models: dict[int, str]
    labels: tuple[str, ...]
    readers: dict[int, str]


@dataclass(frozen=True)
class Place:
    """Where a case stands in the worklist: its neighbours and its position, from 1."""

    previous_id: int | None
    next_id: int | None
    position: int | None
    n_total: int


def search(ws: Workspace, query: WorklistQuery) -> WorklistPage:
    """Return one page of the worklist."""
    with ws.read() as session:
        matching = select(Case.id).where(*_conditions(query))
        n_total = session.scalar(select(func.count()).select_from(matching.subquery())) or 0
        ids = session.scalars(
            matching.order_by(*_order(query.sort))
            .limit(PAGE_SIZE)
            .offset((query.page - 1) * PAGE_SIZE)
        ).all()
        return WorklistPage(_rows(session, list(ids)), n_total)


def choices(ws: Workspace) -> Choices:
    """Return the models, classes and readers that the filters offer."""
    with ws.read() as session:
        models = session.execute(
            select(Model.id, Model.name, Model.version).order_by(Model.name, Model.version)
        )
        labels = session.scalars(select(Prediction.label).distinct().order_by(Prediction.label))
        readers = session.execute(
            select(Account.id, Account.display_name)
            .where(select(Verdict.id).where(Verdict.reader_id == Account.id).exists())
            .order_by(Account.display_name)
        )
        return Choices(
            {id_: f"{name} {version}" for id_, name, version in models},
            tuple(labels),
            {id_: name for id_, name in readers},
        )


def place(ws: Workspace, query: WorklistQuery, case_id: int) -> Place:
    """Return a case's neighbours and position among the readable cases of the worklist."""
    with ws.read() as session:
        readable = select(Case.id).where(*_conditions(query), Case.status.in_(READABLE))
        n_total = session.scalar(select(func.count()).select_from(readable.subquery())) or 0
        before, after = _before(query.sort, case_id), _after(query.sort, case_id)
        n_before = session.scalar(
            select(func.count()).select_from(readable.where(before).subquery())
        )
        belongs = session.scalar(readable.where(Case.id == case_id)) is not None
        return Place(
            previous_id=session.scalar(
                readable.where(before).order_by(*_order(query.sort, backwards=True)).limit(1)
            ),
            next_id=session.scalar(readable.where(after).order_by(*_order(query.sort)).limit(1)),
            position=(n_before or 0) + 1 if belongs else None,
            n_total=n_total,
        )


def next_unread(
    ws: Workspace, reader_id: int, query: WorklistQuery, after_case_id: int | None = None
) -> int | None:
    """Return the next readable case without a verdict of this reader; from the start at the end."""
    judged = select(Verdict.id).where(
        Verdict.case_id == Case.id, Verdict.reader_id == reader_id, is_current()
    )
    unread = (
        select(Case.id)
        .where(*_conditions(query), Case.status.in_(READABLE), ~judged.exists())
        .order_by(*_order(query.sort))
        .limit(1)
    )
    with ws.read() as session:
        if after_case_id is not None:
            following = session.scalar(unread.where(_after(query.sort, after_case_id)))
            if following is not None:
                return following
            unread = unread.where(Case.id != after_case_id)
        return session.scalar(unread)


# --- conditions and order ---------------------------------------------------------------------


def _conditions(query: WorklistQuery) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if query.status is not None:
        conditions.append(Case.status == query.status)
    predicted = [Prediction.case_id == Case.id]
    if query.model_id is not None:
        predicted.append(Prediction.model_id == query.model_id)
    if query.label is not None:
        predicted.append(Prediction.label == query.label)
    if len(predicted) > 1:
        conditions.append(exists().where(*predicted))
    if query.flag is not None:
        conditions.append(
            exists().where(TriageFlag.case_id == Case.id, TriageFlag.reason == query.flag.value)
        )
    if query.reader_id is not None:
        conditions.append(
            select(Verdict.id)
            .where(Verdict.case_id == Case.id, Verdict.reader_id == query.reader_id, is_current())
            .exists()
        )
    if text := query.text.strip():
        conditions.append(_matches(text))
    return conditions


def _matches(text: str) -> ColumnElement[bool]:
    number = text.lower().removeprefix("case").strip().lstrip("#")
    if number.isdigit():
        return Case.id == int(number)
    return or_(
        Case.modality.icontains(text, autoescape=True),
        Case.reference_label.icontains(text, autoescape=True),
        exists().where(
            Prediction.case_id == Case.id, Prediction.label.icontains(text, autoescape=True)
        ),
    )


def _certainty(case: type[Case]) -> ColumnElement[float]:
    """Return the lowest score of a case's predictions; cases without one come last."""
    lowest = select(func.min(Prediction.score)).where(Prediction.case_id == case.id)
    return func.coalesce(lowest.scalar_subquery(), 2.0)


def _order(sort: Sort, *, backwards: bool = False) -> list[ColumnElement[Any]]:
    descending = (sort in (Sort.NEWEST, Sort.MOST_CERTAIN)) is not backwards
    keys: list[ColumnElement[Any]] = [Case.id.expression]
    if sort in (Sort.LEAST_CERTAIN, Sort.MOST_CERTAIN):
        keys.insert(0, _certainty(Case))
    return [key.desc() if descending else key.asc() for key in keys]


def _after(sort: Sort, case_id: int) -> ColumnElement[bool]:
    return _beyond(case_id, sort, ascending=sort in (Sort.OLDEST, Sort.LEAST_CERTAIN))


def _before(sort: Sort, case_id: int) -> ColumnElement[bool]:
    return _beyond(case_id, sort, ascending=sort not in (Sort.OLDEST, Sort.LEAST_CERTAIN))


def _beyond(case_id: int, sort: Sort, *, ascending: bool) -> ColumnElement[bool]:
    by_id = Case.id > case_id if ascending else Case.id < case_id
    if sort in (Sort.OLDEST, Sort.NEWEST):
        return by_id
    this = aliased(Case)
    here = select(_certainty(this)).where(this.id == case_id).scalar_subquery()
    there = _certainty(Case)
    return or_(there > here if ascending else there < here, and_(there == here, by_id))


# --- rows -------------------------------------------------------------------------------------


def _rows(session: Session, ids: list[int]) -> tuple[WorklistRow, ...]:
    cases = {case.id: case for case in session.scalars(select(Case).where(Case.id.in_(ids)))}
    predictions = _grouped(
        session,
        select(Prediction.case_id, Model.name, Prediction.label, Prediction.score)
        .join(Model, Model.id == Prediction.model_id)
        .where(Prediction.case_id.in_(ids))
        .order_by(Model.name),
    )
    flags = _grouped(
        session,
        select(TriageFlag.case_id, TriageFlag.reason)
        .where(TriageFlag.case_id.in_(ids))
        .distinct()
        .order_by(TriageFlag.reason),
    )
    opinions = _grouped(
        session,
        select(Verdict.case_id, Verdict.opinion)
        .where(Verdict.case_id.in_(ids), is_current())
        .order_by(Verdict.id),
    )
    jobs = _grouped(
        session,
        select(Job.case_id, Job.status, Job.n_done, Job.n_total, Job.error)
        .where(Job.case_id.in_(ids), Job.status != JobStatus.DONE)
        .order_by(Job.id),
    )
    return tuple(
        WorklistRow(
            case_id=case_id,
            status=cases[case_id].status,
            synthetic=cases[case_id].synthetic,
            modality=cases[case_id].modality,
            predictions=tuple(PredictionLine(*line) for line in predictions.get(case_id, ())),
            flags=tuple(TriageReason(reason) for (reason,) in flags.get(case_id, ())),
            opinions=tuple(opinion for (opinion,) in opinions.get(case_id, ())),
            progress=_progress(jobs.get(case_id, [])),
            error=next((error for *_, error in jobs.get(case_id, ()) if error), None),
            created_at=cases[case_id].created_at,
        )
        for case_id in ids
        if case_id in cases
    )


def _grouped(session: Session, statement: Executable) -> dict[int, list[tuple[Any, ...]]]:
    """Return rows as tuples without their first column, by that column."""
    groups: dict[int, list[tuple[Any, ...]]] = {}
    for first, *rest in session.execute(statement):
        groups.setdefault(first, []).append(tuple(rest))
    return groups


def _progress(jobs: list[tuple[Any, ...]]) -> float | None:
    """Return the mean progress of a case's waiting and running jobs, or None without any."""
    shares = [
        n_done / n_total if n_total else 0.0
        for status, n_done, n_total, _ in jobs
        if status in (JobStatus.QUEUED, JobStatus.RUNNING)
    ]
    return sum(shares) / len(shares) if shares else None
