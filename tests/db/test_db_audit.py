import threading

import pytest
from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.exc import DatabaseError

from db import audit
from db.inserting import insert_if_new
from db.tables import Account, AuditEvent, Model, Setting, SignInToken, TriageEvent
from db.types import AuditKind, Role, TriageAction, now
from tests import builders


def events(session, subject: str) -> list[AuditEvent]:
    return list(
        session.scalars(
            select(AuditEvent).where(AuditEvent.subject == subject).order_by(AuditEvent.id)
        )
    )


def test_an_added_row_gets_an_event_with_its_state_in_the_same_transaction(each_sessions):
    with each_sessions.begin() as session:
        ada = builders.account(session, name="ada", password_hash="secret")
        (event,) = events(session, "accounts")
        assert (event.kind, event.subject_id) == (AuditKind.ACCOUNT_ADDED, str(ada.id))
        state = event.content["state"]
        assert state["name"] == "ada"
        assert state["role"] == "reader"
        assert len(state["password_sha256"]) == 64
        assert "secret" not in str(event.content)
        session.rollback()
    with each_sessions() as session:
        assert events(session, "accounts") == []


def test_a_changed_row_gets_an_event_and_an_unchanged_one_none(each_sessions):
    with each_sessions.begin() as session:
        ada = builders.account(session)
        ada.role = Role.ENGINEER
        session.flush()
        ada.created_at = now()  # no part of its state
        session.flush()
        told = events(session, "accounts")
    assert [event.kind for event in told] == [AuditKind.ACCOUNT_ADDED, AuditKind.ACCOUNT_CHANGED]
    assert told[1].content["state"] == told[0].content["state"] | {"role": "engineer"}


def test_who_did_it_is_told_by_the_session_or_by_the_row(each_sessions):
    with each_sessions.begin() as session:
        root = builders.account(session, Role.ADMINISTRATOR)
        builders.model(session, created_by=root.id)
    with each_sessions.begin() as session:
        audit.acting(session, root.id)
        builders.account(session)
    with each_sessions.begin() as session:
        audit.acting(session, None, by="the operating system's user grace")
        builders.account(session)
        first, second, third = events(session, "accounts")
        assert [e.actor_id for e in (first, second, third)] == [None, root.id, None]
        assert events(session, "models")[0].actor_id == root.id
        assert third.content["by"] == "the operating system's user grace"


def test_a_row_added_by_a_statement_of_the_house_is_told_too(each_sessions):
    with each_sessions.begin() as session:
        row = {
            "name": "sound",
            "version": "1",
            "architecture": "a/b",
            "weights_sha256": builders.artifact(session),
            "card": {},
        }
        for _ in range(2):
            insert_if_new(session, Model, row)
        assert len(events(session, "models")) == 1


def test_links_and_settings_are_told_and_heads_are_not(each_sessions):
    with each_sessions.begin() as session:
        ada = builders.account(session)
        session.add(SignInToken(token_sha256="a" * 64, account_id=ada.id, expires_at=now()))
        session.merge(Setting(key="site", value={"name": "North"}))
        case = builders.case(session)
        builders.verdict(session, builders.prediction(session, case, builders.model(session)), ada)
    with each_sessions() as session:
        assert [e.kind for e in events(session, "sign_in_tokens")] == [AuditKind.LINK_ISSUED]
        assert [e.subject_id for e in events(session, "settings")] == ["site"]


def test_a_change_of_a_row_that_was_never_told_tells_no_state(each_sessions):
    """Else a row that was slipped in would become right by an honest change."""
    with each_sessions.begin() as session:
        slipped = {"name": "eve", "display_name": "Eve", "role": Role.READER, "active": True}
        session.execute(insert(Account).values(**slipped, demo=False, created_at=now()))
        eve = session.scalars(select(Account)).one()
        eve.display_name = "Eva"
        session.flush()
        assert events(session, "accounts") == []


@pytest.mark.parametrize(
    "statement", [update(AuditEvent).values(subject="x"), delete(AuditEvent)], ids=str
)
def test_the_database_itself_refuses_to_change_an_event(each_sessions, statement):
    with each_sessions.begin() as session:
        builders.account(session)
    with pytest.raises(DatabaseError, match="append-only"), each_sessions.begin() as session:
        session.execute(statement)


def test_no_detour_replaces_an_event(each_sessions):
    with each_sessions.begin() as session:
        builders.account(session)
        on_sqlite = session.get_bind().dialect.name == "sqlite"
    detour = "INSERT OR REPLACE INTO {0} SELECT * FROM {0}" if on_sqlite else "TRUNCATE {0}"
    with pytest.raises(DatabaseError, match="append-only"), each_sessions.begin() as session:
        session.execute(text(detour.format("audit_events")))


def test_many_who_act_at_once_make_one_chain(each_sessions):
    with each_sessions.begin() as session:
        grace, case = builders.account(session, Role.ENGINEER), builders.case(session)
        n_before = audit.head(session)[0]
    start = threading.Barrier(4)
    errors: list[Exception] = []

    def work() -> None:
        step = {"case_id": case.id, "actor_id": grace.id, "action": TriageAction.COMMENT}
        try:
            start.wait()
            for _ in range(5):
                with each_sessions.begin() as session:
                    session.add(TriageEvent(**step))
        except Exception as exc:  # asserted on below
            errors.append(exc)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with each_sessions() as session:
        rows = session.scalars(select(AuditEvent).order_by(AuditEvent.id)).all()
        assert audit.head(session) == (n_before + 20, rows[-1].row_sha256)
        assert [row.previous_sha256 for row in rows[1:]] == [row.row_sha256 for row in rows[:-1]]
        assert all(audit.row_sha256(row) == row.row_sha256 for row in rows)
