"""How long accesses are kept, and what may make them go."""

import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from db import accesses
from db.append_only import ACCESS_HORIZON
from db.tables import Access, AuditEvent
from db.types import AccessKind, Role, now
from review.audit import retention, walk
from review.audit.walk import Expected
from review.errors import AccessError, SettingsError
from review.verdicts.verify import verify
from review.workspace import Workspace
from tests import builders
from tests.builders import OPERATOR
from tests.review.verdicts import tampered

DAYS = (40, 30, 20, 10, 0)  # ago


@pytest.fixture
def ws(workspace: Workspace) -> Workspace:
    with workspace.begin() as session:
        ada = builders.account(session, name="ada").id
        opened = {"kind": AccessKind.CASE_OPENED, "account_id": ada}
        told = [opened | {"created_at": now() - timedelta(days=days)} for days in DAYS]
        accesses.append(session, told)
    return workspace


def ids(ws: Workspace) -> list[int]:
    with ws.read() as session:
        return list(session.scalars(select(Access.id).order_by(Access.id)))


def test_they_are_kept_for_ever_unless_the_site_says_otherwise(ws):
    assert retention.days_kept(ws, by=OPERATOR) is None
    assert retention.remove_old(ws) == 0
    assert ids(ws) == [1, 2, 3, 4, 5]


def test_what_is_older_goes_and_the_rest_verifies(ws):
    with ws.read() as session:
        second = session.get_one(Access, 2).row_sha256
    assert retention.keep(ws, 25, by=OPERATOR) == 2
    assert ids(ws) == [3, 4, 5]
    assert retention.days_kept(ws, by=OPERATOR) == 25
    report = verify(ws, by=OPERATOR)
    assert (report.n_accesses, report.problems) == (3, ())
    assert report.access_head.startswith("5:")
    expected = Expected("accesses", 5, report.access_head.split(":")[1], "a note")
    assert verify(ws, by=OPERATOR, expected=[expected]).problems == ()
    gone = Expected("accesses", 2, second, "a note")
    assert verify(ws, by=OPERATOR, expected=[gone]).problems == ()


def test_the_act_and_how_far_it_went_are_on_the_audit_chain(ws):
    retention.keep(ws, 25, by=OPERATOR)
    with ws.read() as session:
        events = session.scalars(
            select(AuditEvent).where(AuditEvent.subject == "settings").order_by(AuditEvent.id)
        ).all()
    told = {e.subject_id: e.content for e in events if e.subject_id != "identity_key_fingerprint"}
    assert told[retention.KEPT_KEY]["state"] == {"value": {"days": 25}}
    assert told[retention.KEPT_KEY]["by"] == str(OPERATOR)
    assert told[ACCESS_HORIZON]["state"]["value"]["n_rows"] == 2


def test_they_can_be_kept_for_ever_again(ws):
    retention.keep(ws, 25, by=OPERATOR)
    assert retention.keep(ws, None, by=OPERATOR) == 0
    assert retention.days_kept(ws, by=OPERATOR) is None
    assert ids(ws) == [3, 4, 5]


@pytest.mark.parametrize("days", [0, -1, 36_501])
def test_a_number_that_makes_no_sense_lets_nothing_go(ws, days):
    with pytest.raises(SettingsError, match="1 to 36500 days or forever"):
        retention.keep(ws, days, by=OPERATOR)
    assert ids(ws) == [1, 2, 3, 4, 5]


def test_no_account_may_let_its_traces_expire(ws):
    with ws.begin() as session:
        root = builders.account(session, Role.ADMINISTRATOR).id
    with pytest.raises(AccessError, match="only the operating system's user may"):
        retention.keep(ws, 1, by=root)
    assert ids(ws)[:5] == [1, 2, 3, 4, 5]


def test_the_server_lets_them_go_a_day_at_a_time(ws, monkeypatch):
    retention.keep(ws, 25, by=OPERATOR)
    moment = now()
    for hours, left in ((5 * 24 + 1, [3, 4, 5]), (6 * 24 + 1, [4, 5])):
        later = moment + timedelta(hours=hours)
        monkeypatch.setattr(retention, "now", lambda later=later: later)
        retention.remove_old(ws)
        assert ids(ws) == left


def test_many_go_in_short_transactions(ws, monkeypatch):
    monkeypatch.setattr(retention, "BATCH", 1)
    assert retention.keep(ws, 5, by=OPERATOR) == 4
    assert verify(ws, by=OPERATOR).problems == ()


def test_a_number_of_days_that_somebody_wrote_into_the_database_lets_nothing_go(
    tmp_path, empty_database
):
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(empty_database, home / "second-look.db")
    ws = tampered.opened(home)
    with ws.begin() as session:
        long_ago = {"kind": AccessKind.AUDIT_SEEN, "created_at": now() - timedelta(days=90)}
        accesses.append(session, [long_ago])
    retention.keep(ws, 365, by=OPERATOR)
    ws.sessions.kw["bind"].dispose()
    tampered.tamper(
        home, [f"UPDATE settings SET value = '{{\"days\": 1}}' WHERE key = '{retention.KEPT_KEY}'"]
    )
    ws = tampered.opened(home)
    assert retention.remove_old(ws) == 0
    assert verify(ws, by=OPERATOR).problems == (
        "setting access_days_kept: its value days is 1 and was recorded as 365",
    )
    ws.sessions.kw["bind"].dispose()


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        (
            [
                "UPDATE settings SET value = json_set(value, '$.n_rows', 4, '$.row_sha256', "
                "(SELECT row_sha256 FROM accesses WHERE id = 4)) WHERE key = 'access_horizon'",
                "DELETE FROM accesses WHERE id <= 4",
            ],
            "setting access_horizon: its value n_rows is 4 and was recorded as 2",
        ),
        (
            ["UPDATE settings SET value = json_set(value, '$.n_rows', 1) "
             "WHERE key = 'access_horizon'"],
            "access chain: 5 accesses were recorded and 3 are there beside 1 that were let go",
        ),
        (
            ["DELETE FROM settings WHERE key = 'access_horizon'"],
            "access 3: an access before it is missing, inserted or altered",
        ),
        (
            ["DELETE FROM accesses WHERE id = 3"],
            "access 4: an access before it is missing, inserted or altered",
        ),
    ],
)  # fmt: skip
def test_a_horizon_that_was_moved_by_hand_is_named(ws, statements, expected):
    retention.keep(ws, 25, by=OPERATOR)
    home: Path = ws.settings.home
    ws.sessions.kw["bind"].dispose()
    tampered.tamper(home, statements)
    problems = verify(ws, by=OPERATOR).problems
    assert any(problem.startswith(expected) for problem in problems), problems


def test_a_walk_goes_on_where_accesses_are_let_go_ahead_of_it(ws, monkeypatch):
    monkeypatch.setattr(walk, "BATCH", 1)
    problems: list[str | None] = []
    found = walk.ChainWalk(ws, walk.ACCESSES, lambda *_: {})
    for n_seen, problem in enumerate(found, start=1):
        problems.append(problem)
        if n_seen == 1:
            retention.keep(ws, 15, by=OPERATOR)
    assert problems == [None, None, None]  # the first, and the two that are kept
    assert list(found.end_problems()) == []
