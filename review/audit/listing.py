"""The audit as a list, the newest first: accesses, and the events of the audit chain."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, String, cast, false, or_, select, tuple_
from sqlalchemy.orm import Session

from db.accesses import REFUSALS
from db.tables import Access, Account, AuditEvent, TextEvent, TriageEvent
from db.types import AccessKind, AuditKind
from review.audit.telling import AuditLine, Names, told_of_access, told_of_event
from review.policy import Action, Actor, insist
from review.workspace import Workspace

PAGE_SIZE = 100
BATCH = 1_000
MOST_ID = 1 << 31
KINDS = (*AccessKind, *AuditKind)
SOURCES: tuple[type[AuditEvent] | type[Access], ...] = (AuditEvent, Access)


class Cursor(NamedTuple):
    """A place in the list: when, in which of `SOURCES`, and the row's id."""

    at: datetime
    source: int
    row_id: int

    def __str__(self) -> str:
        """Return it as an address holds it."""
        return f"{self.at.isoformat()}~{self.source}~{self.row_id}"

    @classmethod
    def parse(cls, text: str) -> "Cursor | None":
        """Return what an address holds; None where it makes no sense."""
        try:
            at, source, row_id = text.split("~")
            found = cls(datetime.fromisoformat(at), int(source), int(row_id))
        except ValueError:
            return None
        sane = found.at.tzinfo and found.source in range(len(SOURCES)) and found.row_id < MOST_ID
        return found if sane else None


@dataclass(frozen=True)
class AuditFilter:
    """Which lines are wanted; None or empty is any.

    Attributes:
        account_id: Who did it, or whose name was tried.
        operator: Only what the operating system's user did, also as an account.
        kinds: Of `KINDS`.
        case_id: The case that it is about.
        address: Where from, exactly.
        since: The first day, in UTC.
        until: The last day, in UTC.
        refused: Only what was refused and signing in that failed.
    """

    account_id: int | None = None
    operator: bool = False
    kinds: tuple[AccessKind | AuditKind, ...] = ()
    case_id: int | None = None
    address: str | None = None
    since: date | None = None
    until: date | None = None
    refused: bool = False

    def to_params(self) -> dict[str, str]:
        """Return it as an address holds it."""
        given = {
            "account": self.account_id,
            "operator": "1" if self.operator else None,
            "kind": ",".join(self.kinds) or None,
            "case": self.case_id,
            "address": self.address,
            "since": self.since,
            "until": self.until,
            "refused": "1" if self.refused else None,
        }
        return {name: str(value) for name, value in given.items() if value is not None}

    @classmethod
    def from_params(cls, given: Mapping[str, str]) -> "AuditFilter":
        """Read an address; what makes no sense there is left out."""
        known = {kind.value: kind for kind in KINDS}
        asked = given.get("kind", "").split(",")
        return cls(
            account_id=_number(given.get("account")),
            operator=given.get("operator") == "1",
            kinds=tuple(known[kind] for kind in asked if kind in known),
            case_id=_number(given.get("case")),
            address=given.get("address") or None,
            since=_day(given.get("since")),
            until=_day(given.get("until")),
            refused=given.get("refused") == "1",
        )


@dataclass(frozen=True)
class AuditPage:
    """Some lines; `older` is where to go on, None at the end."""

    lines: tuple[AuditLine, ...]
    older: Cursor | None


def page(
    ws: Workspace, wanted: AuditFilter, *, by: Actor, before: Cursor | None = None
) -> AuditPage:
    """Return the newest lines, or those before a place; that somebody looked is a line, too.

    Raises:
        AccessError: If the actor may not.
    """
    with ws.read() as session:
        insist(session, by, Action.SEE_AUDIT)
        found = _lines(session, wanted, before, PAGE_SIZE + 1)
    ws.trail.note(AccessKind.AUDIT_SEEN, by)
    lines = found[:PAGE_SIZE]
    older = lines[-1][0] if len(found) > PAGE_SIZE else None
    return AuditPage(tuple(line for _, line in lines), older)


def taken_out(ws: Workspace, wanted: AuditFilter, *, by: Actor) -> Iterator[AuditLine]:
    """Return every line that is wanted, for a file; that is recorded before the first.

    Raises:
        AccessError: If the actor may not.
    """
    with ws.read() as session:
        insist(session, by, Action.SEE_AUDIT)
    ws.trail.note_at_once(AccessKind.AUDIT_DOWNLOADED, by)
    return _every(ws, wanted)


def people(ws: Workspace, *, by: Actor) -> dict[int, str]:
    """Return the accounts by id, as a filter offers them."""
    with ws.read() as session:
        insist(session, by, Action.SEE_AUDIT)
        rows = session.execute(select(Account.id, Account.display_name, Account.name))
        return {i: f"{shown} ({name})" for i, shown, name in sorted(rows, key=lambda r: r[1])}


def _every(ws: Workspace, wanted: AuditFilter) -> Iterator[AuditLine]:
    before: Cursor | None = None
    while True:
        with ws.read() as session:
            found = _lines(session, wanted, before, BATCH)
        yield from (line for _, line in found)
        if len(found) < BATCH:
            return
        before = found[-1][0]


def _lines(
    session: Session, wanted: AuditFilter, before: Cursor | None, limit: int
) -> list[tuple[Cursor, AuditLine]]:
    rows: list[tuple[Cursor, Any]] = []
    for number in range(len(SOURCES)):
        statement = _chosen(number, wanted, before).limit(limit)
        rows += [(Cursor(r.created_at, number, r.id), r) for r in session.scalars(statement)]
    newest = list(islice(sorted(rows, key=lambda row: row[0], reverse=True), limit))
    names = Names(session)
    tellers = (told_of_event, told_of_access)
    return [(place, tellers[place.source](session, row, names)) for place, row in newest]


def _chosen(number: int, wanted: AuditFilter, before: Cursor | None) -> Select[Any]:
    source = SOURCES[number]
    conditions = [*_of_access(wanted)] if source is Access else [*_of_event(wanted)]
    at = source.created_at
    if wanted.since:
        conditions.append(at >= datetime.combine(wanted.since, time(), UTC))
    if wanted.until:
        conditions.append(at < datetime.combine(wanted.until + timedelta(days=1), time(), UTC))
    if wanted.kinds:
        conditions.append(source.kind.in_([k for k in wanted.kinds if k in _kinds(source)]))
    if before is not None and number == before.source:
        conditions.append(tuple_(at, source.id) < tuple_(before.at, before.row_id))
    elif before is not None:
        conditions.append(at <= before.at if number < before.source else at < before.at)
    return select(source).where(*conditions).order_by(at.desc(), source.id.desc())


def _kinds(source: type[AuditEvent] | type[Access]) -> type[AccessKind] | type[AuditKind]:
    return AccessKind if source is Access else AuditKind


def _of_access(wanted: AuditFilter) -> Iterator[ColumnElement[bool]]:
    if wanted.account_id is not None:
        yield Access.account_id == wanted.account_id
    if wanted.operator:
        yield Access.content["by"].as_string().is_not(None)
    if wanted.case_id is not None:
        yield Access.case_id == wanted.case_id
    if wanted.address:
        yield Access.address == wanted.address
    if wanted.refused:
        yield Access.kind.in_(REFUSALS)


def _of_event(wanted: AuditFilter) -> Iterator[ColumnElement[bool]]:
    if wanted.account_id is not None:
        yield AuditEvent.actor_id == wanted.account_id
    if wanted.operator:
        yield AuditEvent.content["by"].as_string().is_not(None)
    if wanted.case_id is not None:
        yield or_(*(_is_step(table, wanted.case_id) for table in (TriageEvent, TextEvent)))
    if wanted.address:
        yield AuditEvent.content["address"].as_string() == wanted.address
    if wanted.refused:  # what was refused changed nothing
        yield false()


def _is_step(table: type[TriageEvent] | type[TextEvent], case_id: int) -> ColumnElement[bool]:
    steps = select(cast(table.id, String)).where(table.case_id == case_id)
    return (AuditEvent.subject == table.__tablename__) & AuditEvent.subject_id.in_(steps)


def _number(text: str | None) -> int | None:
    given = text or ""
    return int(given) if given.isascii() and given.isdigit() and len(given) < 10 else None


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text or "")
    except ValueError:
        return None
