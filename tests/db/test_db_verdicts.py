import hashlib
import json
import threading
from contextlib import suppress

import pytest
from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.exc import DatabaseError, IntegrityError

from db import verdicts
from db.errors import ConflictError, FidelityError
from db.tables import Account, Prediction, Setting, TriageEvent, Verdict
from db.types import Opinion, TriageAction
from tests import builders


@pytest.fixture
def sessions(each_sessions):
    """A database with one prediction and two readers."""
    with each_sessions.begin() as session:
        case = builders.case(session)
        builders.prediction(session, case, builders.model(session))
        for name in ("ada", "ben"):
            builders.account(session, name=name)
    return each_sessions


def sign(session, reader: str = "ada", **fields) -> Verdict:
    by = session.scalars(select(Account).where(Account.name == reader)).one()
    return builders.verdict(session, session.scalars(select(Prediction)).one(), by, **fields)


def columns(row: Verdict) -> dict[str, object]:
    return {column.name: getattr(row, column.name) for column in Verdict.__table__.columns}


def test_the_first_verdict_follows_the_genesis_hash_and_each_other_its_predecessor(sessions):
    with sessions.begin() as session:
        first, second = sign(session), sign(session, "ben")
    assert first.previous_sha256 == "0" * 64
    assert second.previous_sha256 == first.row_sha256
    with sessions() as session:
        assert verdicts.head(session) == (2, second.row_sha256)


def test_the_hash_is_that_of_the_canonical_json_of_every_other_column(sessions):
    with sessions.begin() as session:
        sign(session, comment="klein – ünïcode", boxes=[{"x": 1, "y": 2.5}], active_seconds=3)
    with sessions() as session:
        row = columns(session.scalars(select(Verdict)).one())
    recorded = row.pop("row_sha256")
    row["created_at"] = row["created_at"].strftime("%Y-%m-%dT%H:%M:%S.%f+00:00")
    assert row["active_seconds"] == 3.0
    canonical = json.dumps(row, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    assert recorded == hashlib.sha256(canonical.encode()).hexdigest()


def test_every_column_counts(sessions):
    with sessions.begin() as session:
        signed = sign(session)
    not_text = {"row_sha256", "created_at", "active_seconds", "hash_version"}
    for name in columns(signed).keys() - not_text:
        altered = Verdict(**columns(signed) | {name: "another"})
        assert verdicts.row_sha256(altered) != signed.row_sha256, name


def test_the_hash_version_is_hashed_from_the_second_on(sessions):
    with sessions.begin() as session:
        signed = sign(session)
        assert signed.hash_version == 3
    told = {
        verdicts.row_sha256(Verdict(**columns(signed) | {"hash_version": version}))
        for version in verdicts.HASHED
    }
    assert len(told) == 3
    assert signed.row_sha256 in told


def test_the_second_hash_version_covers_what_the_first_did_and_itself():
    assert set(verdicts.HASHED[2]) == {*verdicts.HASHED[1], "hash_version"}


def test_the_first_hash_version_covers_what_it_always_did():
    assert sorted(verdicts.HASHED[1]) == [
        *("active_seconds", "boxes", "case_id", "comment", "corrected_label", "created_at"),
        *("evidence", "exposure", "id", "opinion", "plausibility", "prediction_id"),
        *("previous_sha256", "reader_id", "reasons", "request_id", "supersedes_id"),
    ]


def test_a_column_added_to_the_table_some_day_breaks_no_hash(sessions):
    with sessions.begin() as session:
        signed = sign(session)
        session.execute(text("ALTER TABLE verdicts ADD COLUMN some_day VARCHAR(64)"))
    with sessions() as session:
        row = session.scalars(select(Verdict)).one()
        assert verdicts.row_sha256(row) == signed.row_sha256
    with sessions.begin() as session:
        session.execute(text("ALTER TABLE verdicts DROP COLUMN some_day"))


def test_what_would_be_read_back_otherwise_is_not_signed(sessions):
    """A number given as text is kept as a number: its hash would never be met again."""
    with sessions.begin() as session:
        first = sign(session)
    with pytest.raises(FidelityError, match="nothing was signed"), sessions.begin() as session:
        sign(session, "ben", supersedes_id=str(first.id))
    with sessions() as session:
        assert verdicts.head(session) == (1, first.row_sha256)


def test_a_request_sent_twice_is_signed_once(sessions):
    with sessions.begin() as session:
        first, again = sign(session, request_id="r"), sign(session, request_id="r")
        assert first is again
        with pytest.raises(ConflictError):
            sign(session, request_id="r", opinion=Opinion.REJECT)
    with sessions() as session:
        assert verdicts.head(session)[0] == 1


def test_a_transaction_that_fails_leaves_the_chain_as_it_was(sessions):
    with sessions.begin() as session:
        first = sign(session)
    with suppress(RuntimeError), sessions.begin() as session:
        sign(session, "ben")
        raise RuntimeError
    with sessions.begin() as session:
        second = sign(session, "ben")
    assert (second.id, second.previous_sha256) == (2, first.row_sha256)


def test_the_chain_cannot_fork(sessions):
    with sessions.begin() as session:
        first = sign(session)
    fork = columns(first) | {"id": 2, "request_id": "fork", "row_sha256": "f" * 64}
    with pytest.raises(IntegrityError), sessions.begin() as session:
        session.execute(insert(Verdict).values(fork))


def test_a_verdict_is_superseded_once(sessions):
    with sessions.begin() as session:
        first = sign(session)
        sign(session)
        with pytest.raises(IntegrityError), session.begin_nested():
            sign(session, supersedes_id=first.id)


def test_current_verdicts_are_the_last_of_each_reader_unless_withdrawn(sessions):
    with sessions.begin() as session:
        sign(session)
        by_ben = sign(session, "ben")
        by_ada = sign(session, opinion=Opinion.REJECT)
        assert verdicts.current(session, by_ada.prediction_id) == [by_ben, by_ada]
        withdrawn = sign(session, "ben", opinion=Opinion.WITHDRAWN)
        assert verdicts.current(session, by_ada.prediction_id) == [by_ada]
        found = verdicts.latest(
            session, prediction_id=by_ben.prediction_id, reader_id=by_ben.reader_id
        )
        assert found is withdrawn


@pytest.mark.parametrize(
    "statement",
    [
        update(Verdict).values(comment="altered"),
        update(TriageEvent).values(comment="altered"),
        delete(Verdict),
        delete(TriageEvent),
    ],
    ids=str,
)
def test_the_database_itself_refuses_to_change_what_was_signed(sessions, statement):
    with sessions.begin() as session:
        by = sign(session)
        session.add(
            TriageEvent(case_id=by.case_id, actor_id=by.reader_id, action=TriageAction.COMMENT)
        )
    with pytest.raises(DatabaseError, match="append-only"), sessions.begin() as session:
        session.execute(statement)


@pytest.mark.parametrize("table", ["verdicts", "triage_events"])
def test_no_detour_empties_or_replaces_what_was_signed(sessions, table):
    with sessions.begin() as session:
        by = sign(session)
        session.add(
            TriageEvent(case_id=by.case_id, actor_id=by.reader_id, action=TriageAction.COMMENT)
        )
        on_sqlite = session.get_bind().dialect.name == "sqlite"
    detour = "INSERT OR REPLACE INTO {0} SELECT * FROM {0}" if on_sqlite else "TRUNCATE {0} CASCADE"
    with pytest.raises(DatabaseError, match="append-only"), sessions.begin() as session:
        session.execute(text(detour.format(table)))


def test_many_who_sign_at_once_make_one_chain(sessions):
    start = threading.Barrier(4)
    errors: list[Exception] = []

    def work(number: int) -> None:
        try:
            start.wait()
            for turn in range(5):
                with sessions.begin() as session:
                    verdicts.lock(session)
                    sign(session, "ada" if number % 2 else "ben", request_id=f"{number}-{turn}")
        except Exception as exc:  # asserted on below
            errors.append(exc)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with sessions() as session:
        rows = session.scalars(select(Verdict).order_by(Verdict.id)).all()
        assert [row.id for row in rows] == list(range(1, 21))
        previous = ["0" * 64, *(row.row_sha256 for row in rows)]
        assert [row.previous_sha256 for row in rows] == previous[:-1]
        assert session.get_one(Setting, verdicts.HEAD_KEY).value == {
            "n_rows": 20,
            "row_sha256": previous[-1],
        }
