"""The worklist: finding cases, and walking through them in the order on screen."""

import math
from dataclasses import dataclass

from sqlalchemy import Select, exists, func, select
from sqlalchemy.orm import Session

from db.tables import Account, Case, Model, Prediction, Verdict
from db.types import CaseStatus
from review.cases.query import Sort, WorklistQuery, after, before, conditions, order, unread_by
from review.cases.rows import PredictionLine, VerdictLine, WorklistRow, rows_of
from review.policy import Action, Actor, account_id, insist
from review.workspace import Workspace

__all__ = [
    "PAGE_SIZE",
    "Choices",
    "Place",
    "PredictionLine",
    "Sort",
    "VerdictLine",
    "WorklistPage",
    "WorklistQuery",
    "WorklistRow",
    "choices",
    "next_unread",
    "place",
    "search",
]

PAGE_SIZE = 50
READABLE = (CaseStatus.READY, CaseStatus.REVIEWED)


@dataclass(frozen=True)
class WorklistPage:
    """One page of cases, how many match over all pages, and the number of this one, from 1."""

    rows: tuple[WorklistRow, ...]
    n_total: int
    number: int


@dataclass(frozen=True)
class Choices:
    """What the filters can be set to, and whether there is anything to filter."""

    any_cases: bool
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


def search(ws: Workspace, query: WorklistQuery, *, by: Actor) -> WorklistPage:
    """Return one page of the worklist; the last one if the query asks for a page beyond it."""
    with ws.read() as session:
        insist(session, by, Action.READ)
        matching = select(Case.id).where(*conditions(query))
        n_total = _count(session, matching)
        number = min(query.page, max(1, math.ceil(n_total / PAGE_SIZE)))
        ids = session.scalars(
            matching.order_by(*order(query.sort)).limit(PAGE_SIZE).offset((number - 1) * PAGE_SIZE)
        ).all()
        return WorklistPage(rows_of(session, ids), n_total, number)


def choices(ws: Workspace, *, by: Actor) -> Choices:
    """Return the models, classes and readers that the filters offer."""
    with ws.read() as session:
        insist(session, by, Action.READ)
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
            session.scalar(select(exists().where(Case.id.is_not(None)))) or False,
            {id_: f"{name} {version}" for id_, name, version in models},
            tuple(labels),
            {id_: name for id_, name in readers},
        )


def place(ws: Workspace, query: WorklistQuery, case_id: int, *, by: Actor) -> Place:
    """Return a case's neighbours and position among the readable cases of the worklist."""
    readable = select(Case.id).where(*conditions(query), Case.status.in_(READABLE))
    earlier = readable.where(before(query.sort, case_id))
    later = readable.where(after(query.sort, case_id))
    with ws.read() as session:
        insist(session, by, Action.READ)
        belongs = session.scalar(readable.where(Case.id == case_id)) is not None
        return Place(
            previous_id=session.scalar(
                earlier.order_by(*order(query.sort, backwards=True)).limit(1)
            ),
            next_id=session.scalar(later.order_by(*order(query.sort)).limit(1)),
            position=_count(session, earlier) + 1 if belongs else None,
            n_total=_count(session, readable),
        )


def next_unread(
    ws: Workspace, reader_id: Actor, query: WorklistQuery, after_case_id: int | None = None
) -> int | None:
    """Return the next readable case without a verdict of this reader; from the start at the end."""
    unread = (
        select(Case.id)
        .where(*conditions(query), Case.status.in_(READABLE), unread_by(account_id(reader_id)))
        .order_by(*order(query.sort))
        .limit(1)
    )
    with ws.read() as session:
        insist(session, reader_id, Action.READ)
        if after_case_id is not None:
            following = session.scalar(unread.where(after(query.sort, after_case_id)))
            if following is not None:
                return following
            unread = unread.where(Case.id != after_case_id)
        return session.scalar(unread)


def _count(session: Session, statement: Select[int]) -> int:
    return session.scalar(select(func.count()).select_from(statement.subquery())) or 0
