"""What is recorded of accesses, when, and what a flood of them can do."""

import threading

import pytest
from sqlalchemy import select

from db import accesses
from db.errors import StorageError
from db.tables import Access, AuditEvent
from db.types import AccessKind, Role
from review import trail as trails
from review.access import accounts
from review.errors import AccessError
from review.policy import Action, insist
from review.trail import Trail, tell
from review.whence import Whence, come_from, coming_from, here
from tests import builders
from tests.builders import OPERATOR

OPENED = AccessKind.CASE_OPENED


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def trail(workspace, clock) -> Trail:
    return Trail(workspace.begin, clock)


@pytest.fixture
def ada(workspace) -> int:
    with workspace.begin() as session:
        for _ in range(3):
            builders.case(session)
        return builders.account(session, name="ada").id


@pytest.fixture
def behind(trail, monkeypatch):
    """A trail whose thread runs and never comes to write by itself."""
    monkeypatch.setattr(trails, "WRITE_EVERY_SECONDS", 3600.0)
    trail.start()
    yield trail
    trail.stop()


def rows(ws) -> list[Access]:
    with ws.read() as session:
        return list(session.scalars(select(Access).order_by(Access.id)))


def test_an_access_tells_account_session_address_and_case(workspace, trail, ada):
    with coming_from(Whence("ab" * 32, "10.0.0.7")):
        trail.note(OPENED, ada, case_id=2)
    (row,) = rows(workspace)
    assert (row.kind, row.account_id, row.case_id) == (OPENED, ada, 2)
    assert (row.session, row.address, row.content) == ("ab" * 6, "10.0.0.7", {})


def test_who_runs_a_command_is_named_also_where_it_acts_as_an_account(workspace, trail, ada):
    trail.note(OPENED, OPERATOR, case_id=1)
    with coming_from(Whence(operator=str(OPERATOR))):
        trail.note(OPENED, ada, case_id=1)
    first, second = rows(workspace)
    assert (first.account_id, first.content) == (None, {"by": str(OPERATOR)})
    assert (second.account_id, second.content) == (ada, {"by": str(OPERATOR)})


def test_the_same_within_a_minute_is_told_once(workspace, trail, ada, clock):
    for seconds in (0, 1, 59, 60, 61):
        clock.seconds = seconds
        trail.note(OPENED, ada, case_id=1)
    trail.note(OPENED, ada, case_id=2)
    trail.note(AccessKind.PIXELS_FETCHED, ada, case_id=1)
    assert [row.case_id for row in rows(workspace)] == [1, 1, 2, 1]


def test_a_session_that_changes_its_address_is_not_told_again(workspace, trail, ada):
    for number in range(20):
        with coming_from(Whence("ab" * 32, f"10.0.0.{number}")):
            trail.note(OPENED, ada, case_id=1)
    for number in range(3):  # without a session, the address is all that tells strangers apart
        with coming_from(Whence(None, f"10.0.0.{number}")):
            trail.note_at_once(AccessKind.SIGN_IN_FAILED, None, way="link")
    assert len(rows(workspace)) == 4


def test_what_is_looked_at_does_not_wait_for_the_database(workspace, behind, ada):
    """Somebody signs for as long as they like: the page is not held up."""
    with workspace.begin():
        for case_id in (1, 2, 3):
            behind.note(OPENED, ada, case_id=case_id)
    assert rows(workspace) == []
    behind.stop()
    assert [row.case_id for row in rows(workspace)] == [1, 2, 3]


def test_what_waits_is_written_when_the_server_stops(workspace, behind, ada):
    behind.note(OPENED, ada, case_id=1)
    behind.stop()
    assert len(rows(workspace)) == 1
    behind.note(OPENED, ada, case_id=2)  # from here on at once
    assert len(rows(workspace)) == 2


def test_the_thread_writes_by_itself(workspace, trail, ada, monkeypatch):
    monkeypatch.setattr(trails, "WRITE_EVERY_SECONDS", 0.01)
    written = threading.Event()
    append = accesses.append
    monkeypatch.setattr(accesses, "append", lambda *told: (append(*told), written.set()))
    trail.start()
    trail.note(OPENED, ada, case_id=1)
    assert written.wait(20)
    trail.stop()
    assert len(rows(workspace)) == 1


def test_a_refusal_is_written_before_it_is_answered_and_what_waits_with_it(workspace, behind, ada):
    behind.note(OPENED, ada, case_id=1)
    behind.note_at_once(AccessKind.REFUSED, ada, action="export the feedback")
    assert [row.kind for row in rows(workspace)] == [OPENED, AccessKind.REFUSED]


def test_a_flood_is_bounded_and_whoever_floods_writes_it(workspace, behind, ada, monkeypatch):
    monkeypatch.setattr(trails, "MAX_PENDING", 10)
    for number in range(25):
        behind.note(AccessKind.MAP_FETCHED, ada, case_id=1, explanation=number)
    assert len(rows(workspace)) == 20
    behind.stop()
    assert [row.content["explanation"] for row in rows(workspace)] == list(range(25))


def test_what_was_told_is_remembered_in_bounds(workspace, trail, ada, monkeypatch):
    monkeypatch.setattr(trails, "MAX_REMEMBERED", 10)
    for number in range(30):
        trail.note(AccessKind.MAP_FETCHED, ada, explanation=number)
    trail.note(AccessKind.MAP_FETCHED, ada, explanation=29)  # still remembered
    assert len(trail._told._at) == 10
    assert len(rows(workspace)) == 30


def test_a_reader_who_asks_again_and_again_for_what_is_refused_is_told_once(workspace, ada):
    for _ in range(50):
        with pytest.raises(AccessError):
            accounts.list_accounts(workspace, by=ada)
    (row,) = rows(workspace)
    assert (row.kind, row.account_id) == (AccessKind.REFUSED, ada)
    assert row.content == {"action": "manage accounts"}


def test_a_refusal_rolls_back_what_was_begun_and_is_recorded_all_the_same(workspace, ada):
    def begin() -> None:
        with workspace.begin() as session:
            builders.account(session, name="begun")
            insist(session, ada, Action.EXPORT)

    with pytest.raises(AccessError):
        begin()
    assert [row.kind for row in rows(workspace)] == [AccessKind.REFUSED]
    names = {a.name for a in accounts.list_accounts(workspace, by=OPERATOR)}
    assert names == {"ada"}


def test_an_account_that_there_is_not_is_refused_without_a_name(workspace):
    with pytest.raises(AccessError), workspace.read() as session:
        insist(session, 999, Action.READ)
    assert [row.account_id for row in rows(workspace)] == [None]


def test_a_database_that_takes_nothing_costs_no_reader_and_loses_nothing(
    workspace, trail, ada, monkeypatch, caplog
):
    def full(*_: object) -> None:
        raise StorageError("the disk is full: nothing was recorded; try again")

    with monkeypatch.context() as broken:
        broken.setattr(accesses, "append", full)
        trail.note(OPENED, ada, case_id=1)
        trail.note_at_once(AccessKind.REFUSED, ada, action="sign")
        broken.setattr(trails, "MAX_PENDING", 3)
        with pytest.raises(StorageError, match="disk is full"):
            trail.note(OPENED, ada, case_id=2)
    assert "2 accesses could not be written" in caplog.text
    trail.note(OPENED, ada, case_id=3)
    kinds = [(row.kind, row.case_id) for row in rows(workspace)]
    assert kinds == [(OPENED, 1), (AccessKind.REFUSED, None), (OPENED, 2), (OPENED, 3)]


def test_an_access_told_in_a_transaction_stands_or_falls_with_it(workspace, ada):
    with workspace.sessions() as session, session.begin():
        tell(session, AccessKind.EXPORT_ASKED, ada, export=1)
        session.rollback()
    assert rows(workspace) == []


def test_where_a_command_came_from_is_forgotten_with_it():
    before = here()
    with coming_from(Whence()):
        come_from(Whence(operator="somebody"))
    assert here() == before


def test_the_audit_chain_tells_session_and_address_of_a_change(workspace):
    with workspace.begin() as session:
        root = builders.account(session, Role.ADMINISTRATOR, name="root").id
    with coming_from(Whence("cd" * 32, "10.0.0.9")):
        accounts.create_account(workspace, "new", by=root, role=Role.READER)
    with workspace.read() as session:
        event = session.scalars(select(AuditEvent).order_by(AuditEvent.id.desc())).first()
    assert event.actor_id == root
    assert (event.content["session"], event.content["address"]) == ("cd" * 6, "10.0.0.9")
