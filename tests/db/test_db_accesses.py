import threading
from datetime import timedelta

import pytest
from sqlalchemy import delete, func, select, text, update
from sqlalchemy.exc import DatabaseError

from db import accesses, standing
from db.append_only import ACCESS_HORIZON
from db.tables import Access, AuditEvent, Setting
from db.types import AccessKind, AuditKind, now
from tests import builders

START = now() - timedelta(days=10)


def told(days: int = 0, **fields: object) -> dict[str, object]:
    return {"kind": AccessKind.CASE_OPENED, "created_at": START + timedelta(days=days), **fields}


def filled(sessions, n: int = 5) -> None:
    """Add an access a day."""
    with sessions.begin() as session:
        ada = builders.account(session, name="ada")
        accesses.append(session, [told(day, account_id=ada.id) for day in range(n)])


def ids(session) -> list[int]:
    return list(session.scalars(select(Access.id).order_by(Access.id)))


def test_each_row_is_hashed_with_the_one_before_it(each_sessions):
    filled(each_sessions, 2)
    with each_sessions.begin() as session:
        accesses.append(session, [told(3, content={"way": "link"}, address="10.0.0.7")])
    with each_sessions() as session:
        rows = session.scalars(select(Access).order_by(Access.id)).all()
        assert [row.id for row in rows] == [1, 2, 3]
        before = ["0" * 64, *(row.row_sha256 for row in rows)]
        assert [row.previous_sha256 for row in rows] == before[:-1]
        assert [accesses.row_sha256(row) for row in rows] == before[1:]
        assert accesses.head(session) == (3, before[-1])


def test_an_access_is_no_event_of_the_audit_chain(each_sessions):
    filled(each_sessions)
    with each_sessions() as session:
        assert not session.scalars(select(AuditEvent).where(AuditEvent.subject == "settings")).all()


@pytest.mark.parametrize(
    "statement",
    [update(Access).values(address="x"), delete(Access), delete(Access).where(Access.id == 3)],
    ids=str,
)
def test_the_database_itself_refuses_to_change_an_access(each_sessions, statement):
    filled(each_sessions)
    with pytest.raises(DatabaseError, match="append-only"), each_sessions.begin() as session:
        session.execute(statement)


def test_no_detour_replaces_an_access(each_sessions):
    filled(each_sessions)
    with each_sessions() as session:
        on_sqlite = session.get_bind().dialect.name == "sqlite"
    detour = "INSERT OR REPLACE INTO {0} SELECT * FROM {0}" if on_sqlite else "TRUNCATE {0}"
    with pytest.raises(DatabaseError, match="append-only"), each_sessions.begin() as session:
        session.execute(text(detour.format("accesses")))


def test_the_oldest_go_as_far_as_the_first_that_is_not_older(each_sessions):
    filled(each_sessions)
    with each_sessions.begin() as session:
        assert accesses.remove_before(session, START + timedelta(days=2), limit=10) == 2
    with each_sessions() as session:
        assert ids(session) == [3, 4, 5]
        third = session.get_one(Access, 3)
        assert accesses.horizon(session) == (2, third.previous_sha256)
        assert accesses.head(session)[0] == 5
        (event,) = session.scalars(select(AuditEvent).where(AuditEvent.subject == "settings"))
        assert (event.kind, event.subject_id) == (AuditKind.SETTING_CHANGED, ACCESS_HORIZON)
        assert event.content["state"]["value"]["n_rows"] == 2


def test_an_old_access_behind_a_new_one_stays(each_sessions):
    """A clock that was set back must not make a hole."""
    with each_sessions.begin() as session:
        accesses.append(session, [told(0), told(5), told(1)])
        assert accesses.remove_before(session, START + timedelta(days=3), limit=10) == 1
        assert ids(session) == [2, 3]


def test_all_may_go_and_the_chain_goes_on(each_sessions):
    filled(each_sessions, 2)
    with each_sessions.begin() as session:
        last_sha256 = accesses.head(session)[1]
        assert accesses.remove_before(session, now(), limit=10) == 2
        assert accesses.remove_before(session, now(), limit=10) == 0
        accesses.append(session, [told(9)])
    with each_sessions() as session:
        (row,) = session.scalars(select(Access))
        assert (row.id, row.previous_sha256) == (3, last_sha256)


def test_no_more_go_at_once_than_is_said(each_sessions):
    filled(each_sessions)
    with each_sessions.begin() as session:
        assert accesses.remove_before(session, now(), limit=3) == 3
        assert ids(session) == [4, 5]


def test_what_lies_behind_the_horizon_cannot_be_deleted(each_sessions):
    filled(each_sessions)
    with each_sessions.begin() as session:
        session.merge(Setting(key=ACCESS_HORIZON, value={"n_rows": 2, "row_sha256": "0" * 64}))
    with each_sessions.begin() as session:
        session.execute(delete(Access).where(Access.id <= 2))
    with pytest.raises(DatabaseError, match="append-only"), each_sessions.begin() as session:
        session.execute(delete(Access).where(Access.id <= 3))
    with each_sessions() as session:
        assert ids(session) == [3, 4, 5]


def test_a_new_database_has_every_trigger(each_sessions):
    with each_sessions() as session:
        assert list(standing.problems(session.connection())) == []


def test_a_trigger_that_lets_more_go_is_noticed(each_sessions):
    with each_sessions() as session:
        if session.get_bind().dialect.name == "sqlite":
            session.execute(text("DROP TRIGGER accesses_no_delete"))
            session.execute(
                text(
                    "CREATE TRIGGER accesses_no_delete BEFORE DELETE ON accesses WHEN OLD.id > 99 "
                    "BEGIN SELECT RAISE(ABORT, 'accesses are append-only'); END"
                )
            )
        else:
            body = "BEGIN RETURN OLD; END"
            session.execute(
                text(
                    "CREATE OR REPLACE FUNCTION accesses_append_only() RETURNS trigger "
                    f"LANGUAGE plpgsql AS $${body}$$"
                )
            )
        found = list(standing.problems(session.connection()))
        session.rollback()  # the server keeps its functions from one test to the next
    assert "trigger accesses_no_delete on accesses was altered" in found


def test_many_who_come_at_once_make_one_chain(each_sessions):
    start = threading.Barrier(4)
    errors: list[Exception] = []

    def work() -> None:
        try:
            start.wait()
            for _ in range(5):
                with each_sessions.begin() as session:
                    accesses.append(session, [told(), told()])
        except Exception as exc:  # asserted on below
            errors.append(exc)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with each_sessions() as session:
        rows = session.scalars(select(Access).order_by(Access.id)).all()
        assert session.scalar(select(func.count()).select_from(Access)) == 40
        assert [row.previous_sha256 for row in rows[1:]] == [row.row_sha256 for row in rows[:-1]]
