"""The worklist: finding cases, and walking through them in the order on screen."""

import math
from dataclasses import dataclass

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from db.selecting import count
from db.tables import Account, Case, Model, Prediction, Verdict
from db.types import CaseStatus
from review.cases.query import Sort, WorklistQuery, after, before, conditions, order
from review.cases.rows import PredictionLine, VerdictLine, WorklistRow, rows_of
from review.policy import Action, Actor, account_id, insist
from review.state.held import may_pass
from review.state.knowledge import may_know
from review.state.unread import has_unread, is_unread
from review.workspace import Workspace

__all__ = [
    "PAGE_SIZE",
    "Choices",
    "Place",
    "PredictionLine",
    "Sort",
    "Unread",
    "VerdictLine",
    "WorklistPage",
    "WorklistQuery",
    "WorklistRow",
    "choices",
    "next_unread",
    "place",
    "search",
    "unread_model",
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


@dataclass(frozen=True)
class Unread:
    """A prediction that a reader has not judged: of which case, by which model version."""

    case_id: int
    model_id: int


def search(ws: Workspace, query: WorklistQuery, *, by: Actor) -> WorklistPage:
    """Return one page of the worklist; the last one if the query asks for a page beyond it.

    Args:
        ws: The installation.
        query: What to show.
        by: Who looks; they are told of others' verdicts as `review.state.knowledge` has it.
    """
    with ws.read() as session:
        insist(session, by, Action.READ)
        matching = select(Case.id).where(*conditions(query, by))
        n_total = count(session, matching)
        number = min(query.page, max(1, math.ceil(n_total / PAGE_SIZE)))
        ids = session.scalars(
            matching.order_by(*order(query.sort)).limit(PAGE_SIZE).offset((number - 1) * PAGE_SIZE)
        ).all()
        return WorklistPage(rows_of(session, ids, by), n_total, number)


def choices(ws: Workspace, *, by: Actor) -> Choices:
    """Return what the filters offer; of readers those of whose verdicts one may know."""
    with ws.read() as session:
        insist(session, by, Action.READ)
        models = session.execute(
            select(Model.id, Model.name, Model.version).order_by(Model.name, Model.version)
        )
        labels = session.scalars(select(Prediction.answer).distinct().order_by(Prediction.answer))
        known = may_know(by, Verdict.prediction_id.expression)
        readers = session.execute(
            select(Account.id, Account.display_name)
            .where(exists().where(Verdict.reader_id == Account.id, known))
            .order_by(Account.display_name)
        )
        return Choices(
            session.scalar(select(exists().where(may_pass()))) or False,
            {id_: f"{name} {version}" for id_, name, version in models},
            tuple(labels),
            {id_: name for id_, name in readers},
        )


def place(ws: Workspace, query: WorklistQuery, case_id: int, *, by: Actor) -> Place:
    """Return a case's neighbours and position among the readable cases of the worklist."""
    readable = select(Case.id).where(*conditions(query, by), Case.status.in_(READABLE))
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
            position=count(session, earlier) + 1 if belongs else None,
            n_total=count(session, readable),
        )


def next_unread(
    ws: Workspace,
    reader_id: Actor,
    query: WorklistQuery,
    after_case_id: int | None = None,
    *,
    preferred_id: int | None = None,
) -> Unread | None:
    """Return what a reader reads next: the next readable case of the list with something unread.

    Each case comes once in a round, so that a second model's answer is not judged fresh after the
    first one's; what is left of a case comes when the list begins anew.

    Args:
        ws: The installation.
        reader_id: Who reads.
        query: The list; with a model version, only its predictions are asked about.
        after_case_id: The case that is open: another one is looked for.
        preferred_id: The model version to choose where several predictions of a case are unread.
    """
    unread = (
        select(Case.id)
        .where(*conditions(query, reader_id), Case.status.in_(READABLE))
        .where(has_unread(account_id(reader_id), model_id=query.model_id))
        .order_by(*order(query.sort))
        .limit(1)
    )
    with ws.read() as session:
        insist(session, reader_id, Action.READ)
        case_id = None
        if after_case_id is not None:
            case_id = session.scalar(unread.where(after(query.sort, after_case_id)))
            unread = unread.where(Case.id != after_case_id)
        case_id = case_id or session.scalar(unread)
        model_id = case_id and _unread_model(session, reader_id, query, case_id, preferred_id)
    return Unread(case_id, model_id) if case_id and model_id else None


def unread_model(
    ws: Workspace,
    reader_id: Actor,
    query: WorklistQuery,
    case_id: int,
    *,
    preferred_id: int | None = None,
) -> int | None:
    """Return the model version whose prediction a reader reads next on a case, as `next_unread`."""
    with ws.read() as session:
        insist(session, reader_id, Action.READ)
        return _unread_model(session, reader_id, query, case_id, preferred_id)


def _unread_model(
    session: Session,
    reader_id: Actor,
    query: WorklistQuery,
    case_id: int,
    preferred_id: int | None,
) -> int | None:
    """Return the preferred model version, or the oldest, whose prediction is unread."""
    return session.scalar(
        select(Prediction.model_id)
        .where(
            Prediction.case_id == case_id, is_unread(account_id(reader_id), model_id=query.model_id)
        )
        .order_by(Prediction.model_id != preferred_id, Prediction.model_id)
        .limit(1)
    )
