"""The engineers' queue of flagged cases, and what was done about each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, Row, Select, and_, func, select
from sqlalchemy.orm import Session, aliased

from db.errors import NotFoundError
from db.selecting import count
from db.tables import Account, Case, Model, Prediction, TriageEvent, TriageFlag
from db.types import Disposition, TriageAction, TriageReason
from review.errors import ReviewError
from review.policy import Action, Actor, insist, roles
from review.state.consensus import Consensus, of_cases
from review.state.held import may_pass
from review.state.triage import TURNS, is_open, last_event
from review.workspace import Workspace

PAGE_SIZE = 50
MAX_COMMENT = 4000
FlaggedCase = Row[int, datetime, bool, Disposition | None, int | None]


class TriageError(ReviewError):
    """An engineer's step is incomplete or contradicts the state of the case."""


class TriageState(StrEnum):
    """Which flagged cases to list."""

    OPEN = "open"
    CLOSED = "closed"
    ALL = "all"


@dataclass(frozen=True)
class TriageFilter:
    """What the queue shows; None means any."""

    state: TriageState = TriageState.OPEN
    reason: TriageReason | None = None
    model_id: int | None = None
    assignee_id: int | None = None
    page: int = 1


@dataclass(frozen=True)
class Flag:
    """One reason why a prediction needs an engineer, in plain words."""

    reason: TriageReason
    detail: str
    model: str


@dataclass(frozen=True)
class TriageItem:
    """A flagged case as the queue shows it; `consensus` is of all its current verdicts."""

    case_id: int
    synthetic: bool
    flags: tuple[Flag, ...]
    consensus: Consensus
    flagged_at: datetime
    is_open: bool
    assignee: str | None
    disposition: Disposition | None


@dataclass(frozen=True)
class TriagePage:
    """One page of the queue; counts are of cases, over all pages."""

    items: tuple[TriageItem, ...]
    n_total: int
    n_by_reason: dict[TriageReason, int]


@dataclass(frozen=True)
class TriageStep:
    """One recorded step in the handling of a case."""

    actor: str
    action: TriageAction
    assignee: str | None
    disposition: Disposition | None
    comment: str
    created_at: datetime


@dataclass(frozen=True)
class Engineer:
    """An account that cases can be assigned to."""

    id: int
    name: str


def _flagged_cases(
    query: TriageFilter, *, case_id: int | None = None
) -> Select[int, datetime, bool, Disposition | None, int | None]:
    """Select the flagged cases: open or not, how they were last closed, and the assignee."""
    flagged = (
        select(TriageFlag.case_id, func.max(TriageFlag.created_at).label("flagged_at"))
        .where(TriageFlag.case_id.in_(select(Case.id).where(may_pass())))
        .group_by(TriageFlag.case_id)
        .subquery()
    )
    case_of_flag, flagged_at = flagged.c.case_id, flagged.c.flagged_at
    turn, assignment = aliased(TriageEvent), aliased(TriageEvent)
    opened = is_open(turn, flagged_at)
    rows = (
        select(case_of_flag, flagged_at, opened, turn.disposition, assignment.assignee_id)
        .select_from(flagged)
        .outerjoin(turn, turn.id == last_event(case_of_flag, *TURNS))
        .outerjoin(assignment, assignment.id == last_event(case_of_flag, TriageAction.ASSIGN))
    )
    if query.state is not TriageState.ALL:
        rows = rows.where(opened if query.state is TriageState.OPEN else ~opened)
    if case_id is not None:
        rows = rows.where(flagged.c.case_id == case_id)
    if query.assignee_id is not None:
        rows = rows.where(assignment.assignee_id == query.assignee_id)
    wanted: list[ColumnElement[bool]] = []
    if query.reason is not None:
        wanted.append(TriageFlag.reason == query.reason)
    if query.model_id is not None:
        wanted.append(Prediction.model_id == query.model_id)
    if wanted:
        matching = select(TriageFlag.case_id).join(
            Prediction, Prediction.id == TriageFlag.prediction_id
        )
        rows = rows.where(flagged.c.case_id.in_(matching.where(and_(*wanted))))
    return rows.order_by(flagged.c.flagged_at.desc(), flagged.c.case_id.desc())


def queue(ws: Workspace, query: TriageFilter, *, by: Actor) -> TriagePage:
    """Return one page of flagged cases, the most recently flagged first."""
    with ws.read() as session:
        insist(session, by, Action.SEE_TRIAGE)
        matching = _flagged_cases(query)
        n_total = count(session, matching)
        rows = session.execute(matching.limit(PAGE_SIZE).offset((query.page - 1) * PAGE_SIZE)).all()
        return TriagePage(_items(session, rows), n_total, _n_by_reason(session, query))


def find(ws: Workspace, case_id: int, *, by: Actor) -> TriageItem | None:
    """Return one flagged case, or None if it has no flag."""
    with ws.read() as session:
        insist(session, by, Action.SEE_TRIAGE)
        matching = _flagged_cases(TriageFilter(TriageState.ALL), case_id=case_id)
        items = _items(session, session.execute(matching).all())
    return items[0] if items else None


def _items(session: Session, rows: Sequence[FlaggedCase]) -> tuple[TriageItem, ...]:
    case_ids = [row[0] for row in rows]
    flags = _flags_of(session, case_ids)
    together = of_cases(session, case_ids)
    names = {engineer.id: engineer.name for engineer in _engineers(session)}
    synthetic = set(session.scalars(select(Case.id).where(Case.id.in_(case_ids), Case.synthetic)))
    items = []
    for case_id, flagged_at, opened, disposition, assignee_id in rows:
        items.append(
            TriageItem(
                case_id=case_id,
                synthetic=case_id in synthetic,
                flags=tuple(flags.get(case_id, ())),
                consensus=together[case_id],
                flagged_at=flagged_at,
                is_open=opened,
                assignee=names.get(assignee_id) if assignee_id else None,
                disposition=None if opened else disposition,
            )
        )
    return tuple(items)


def _flags_of(session: Session, case_ids: list[int]) -> dict[int, list[Flag]]:
    flags: dict[int, list[Flag]] = {}
    rows = session.execute(
        select(TriageFlag, Model.name, Model.version)
        .join(Prediction, Prediction.id == TriageFlag.prediction_id)
        .join(Model, Model.id == Prediction.model_id)
        .where(TriageFlag.case_id.in_(case_ids))
        .order_by(TriageFlag.case_id, Model.name, TriageFlag.id)
    )
    for flag, name, version in rows:
        flags.setdefault(flag.case_id, []).append(
            Flag(flag.reason, flag.detail, f"{name} {version}")
        )
    return flags


def _n_by_reason(session: Session, query: TriageFilter) -> dict[TriageReason, int]:
    any_reason = TriageFilter(query.state, None, query.model_id, query.assignee_id)
    cases = _flagged_cases(any_reason).subquery()
    rows = session.execute(
        select(TriageFlag.reason, func.count(TriageFlag.case_id.distinct()))
        .where(TriageFlag.case_id.in_(select(cases.c.case_id)))
        .group_by(TriageFlag.reason)
    )
    return {reason: n for reason, n in rows}


def engineers(ws: Workspace, *, by: Actor) -> tuple[Engineer, ...]:
    """Return the active accounts that may triage."""
    with ws.read() as session:
        insist(session, by, Action.SEE_TRIAGE)
        return _engineers(session)


def _engineers(session: Session) -> tuple[Engineer, ...]:
    rows = session.execute(
        select(Account.id, Account.display_name)
        .where(Account.active, Account.role.in_(roles(Action.TRIAGE)))
        .order_by(Account.display_name)
    )
    return tuple(Engineer(id_, name) for id_, name in rows)


def history(ws: Workspace, case_id: int, *, by: Actor) -> tuple[TriageStep, ...]:
    """Return every recorded step on a case, the oldest first."""
    actor, assignee = aliased(Account), aliased(Account)
    with ws.read() as session:
        insist(session, by, Action.SEE_TRIAGE)
        rows = session.execute(
            select(TriageEvent, actor.display_name, assignee.display_name)
            .join(actor, actor.id == TriageEvent.actor_id)
            .outerjoin(assignee, assignee.id == TriageEvent.assignee_id)
            .where(TriageEvent.case_id == case_id)
            .order_by(TriageEvent.id)
        )
        return tuple(
            TriageStep(name, e.action, to, e.disposition, e.comment, e.created_at)
            for e, name, to in rows
        )


def assign(ws: Workspace, case_id: int, *, actor_id: int, assignee_id: int) -> None:
    """Record who looks after a case.

    Raises:
        TriageError: If the assignee is not an active engineer or administrator.
    """
    with ws.begin() as session:
        insist(session, actor_id, Action.TRIAGE)
        if assignee_id not in {engineer.id for engineer in _engineers(session)}:
            raise TriageError("a case is assigned to an active engineer or administrator")
        _record(session, case_id, actor_id, TriageAction.ASSIGN, assignee_id=assignee_id)


def comment(ws: Workspace, case_id: int, *, actor_id: int, text: str) -> None:
    """Record a remark on a case.

    Raises:
        TriageError: If the remark is empty or too long.
    """
    if not text.strip():
        raise TriageError("the comment is empty: write what the next engineer should know")
    with ws.begin() as session:
        insist(session, actor_id, Action.TRIAGE)
        _record(session, case_id, actor_id, TriageAction.COMMENT, text=text)


def close(
    ws: Workspace, case_id: int, *, actor_id: int, disposition: Disposition, text: str = ""
) -> None:
    """Record how a case was settled.

    Raises:
        TriageError: If the case is closed already.
    """
    with ws.begin() as session:
        insist(session, actor_id, Action.TRIAGE)
        if not _is_open(session, case_id):
            raise TriageError(f"case {case_id} is not open in triage")
        _record(session, case_id, actor_id, TriageAction.CLOSE, disposition=disposition, text=text)


def reopen(ws: Workspace, case_id: int, *, actor_id: int, text: str = "") -> None:
    """Record that a closed case needs another look.

    Raises:
        TriageError: If the case is open already.
    """
    with ws.begin() as session:
        insist(session, actor_id, Action.TRIAGE)
        if _is_open(session, case_id):
            raise TriageError(f"case {case_id} is open already")
        _record(session, case_id, actor_id, TriageAction.REOPEN, text=text)


def _is_open(session: Session, case_id: int) -> bool:
    open_case = _flagged_cases(TriageFilter(TriageState.OPEN), case_id=case_id)
    return session.execute(open_case).first() is not None


def _record(
    session: Session,
    case_id: int,
    actor_id: int,
    action: TriageAction,
    *,
    assignee_id: int | None = None,
    disposition: Disposition | None = None,
    text: str = "",
) -> None:
    if session.get(Case, case_id) is None:
        raise NotFoundError(f"there is no case {case_id}")
    if len(text := text.strip()) > MAX_COMMENT:
        raise TriageError(f"the comment has {len(text)} characters; allowed are {MAX_COMMENT}")
    session.add(
        TriageEvent(
            case_id=case_id,
            actor_id=actor_id,
            action=action,
            assignee_id=assignee_id,
            disposition=disposition,
            comment=text,
        )
    )
