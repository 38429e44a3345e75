from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, text

from db.errors import StorageError
from db.tables import WebSession
from db.types import Role, now
from review.access import accounts, links, sessions, start, ways
from review.errors import AccessError, LinkError
from review.processes import upkeep
from review.settings import IDLE_MINUTES
from review.workspace import Workspace
from tests.builders import OPERATOR

PASSWORD = "correct horse battery"
IDLE = timedelta(minutes=IDLE_MINUTES)


@pytest.fixture
def ws(workspace: Workspace) -> Workspace:
    return workspace


@pytest.fixture
def reader(ws: Workspace) -> accounts.AccountView:
    return accounts.create_account(ws, "Ada", role=Role.READER, password=PASSWORD, by=OPERATOR)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch):
    """Move the time that the use cases see."""

    def advance(by: timedelta) -> None:
        for module in (ways, sessions):
            monkeypatch.setattr(module, "now", lambda: now() + by)

    return advance


def sign_in(ws: Workspace, name: str = "ada", password: str = PASSWORD):
    return sessions.sign_in(ws, name, password)


def test_names_are_folded_and_unique(ws, reader):
    assert (reader.name, reader.display_name) == ("ada", "ada")
    with pytest.raises(AccessError, match="taken"):
        accounts.create_account(ws, "ADA", role=Role.READER, by=OPERATOR)


@pytest.mark.parametrize("name", ["", "a b", "-ada", "a\nb", "é", "a" * 65, "../x"])
def test_malformed_names_are_refused(ws, name):
    with pytest.raises(AccessError, match="not allowed"):
        accounts.create_account(ws, name, role=Role.READER, by=OPERATOR)


@pytest.mark.parametrize("password", ["short", "x" * 257, "my name is ada"])
def test_weak_passwords_are_refused(ws, password):
    with pytest.raises(AccessError, match="password"):
        accounts.create_account(ws, "ada", role=Role.READER, password=password, by=OPERATOR)


@pytest.mark.parametrize(
    "password",
    [
        "password1234",
        "Passw0rd!Passw0rd",
        "qwertyuiop12",
        "123456789012",
        "letmeinletmein",
        "second look 1",
        "Radiology2026!",
        "a" * 250,
        "summer2026summer",
    ],
)
def test_passwords_that_are_guessed_first_are_refused(ws, password):
    with pytest.raises(AccessError, match="guessed first"):
        accounts.create_account(ws, "ada", role=Role.READER, password=password, by=OPERATOR)


def test_name_and_password_open_a_session(ws, reader):
    token = sign_in(ws, " ADA ")
    assert sessions.account_of(ws, token) == reader


def test_tokens_and_typed_names_are_not_stored(ws, reader):
    token = sign_in(ws)
    link = accounts.issue_link(ws, reader.id, by=OPERATOR)
    with pytest.raises(AccessError):
        sign_in(ws, "my-secret-typed-as-name")
    with ws.sessions() as session:
        rows = [
            str(session.execute(text(f"SELECT * FROM {table}")).all())
            for table in ("web_sessions", "sign_in_tokens", "sign_in_attempts", "accounts")
        ]
    stored = " ".join(rows)
    assert token not in stored
    assert link not in stored
    assert "my-secret" not in stored
    assert PASSWORD not in stored


@pytest.mark.parametrize("case", ["unknown", "wrong", "no password", "inactive", "demo"])
def test_every_failure_gives_one_answer(ws, reader, case):
    other = accounts.create_account(ws, "other", role=Role.READER, by=OPERATOR)
    demo = accounts.create_account(
        ws, "demo", role=Role.READER, password=PASSWORD, demo=True, by=OPERATOR
    )
    if case == "inactive":
        accounts.deactivate(ws, reader.id, by=OPERATOR)
    name = {"unknown": "nobody", "no password": other.name, "demo": demo.name}.get(case, "ada")
    with pytest.raises(AccessError, match=r"^The name and the password do not fit\.$"):
        sign_in(ws, name, "wrong password!" if case == "wrong" else PASSWORD)


def test_an_unknown_name_costs_a_hash_too(ws, monkeypatch):
    verified = []
    monkeypatch.setattr(sessions, "matches", lambda hashed, _: verified.append(hashed))
    with pytest.raises(AccessError):
        sign_in(ws, "nobody")
    assert verified == [None]


def test_a_session_ends_when_idle_and_activity_keeps_it(ws, reader, clock):
    token = sign_in(ws)
    clock(IDLE - timedelta(minutes=1))
    assert sessions.touch(ws, token)
    clock(2 * IDLE - timedelta(minutes=2))
    assert sessions.account_of(ws, token)
    clock(2 * IDLE)
    assert sessions.account_of(ws, token) is None
    assert sessions.touch(ws, token) is None


def test_a_disk_that_is_full_for_hours_ends_no_session_in_use(ws, reader, clock, monkeypatch):
    token = sign_in(ws)

    def full(_: Workspace) -> None:
        raise StorageError("the disk is full: nothing was recorded; try again")

    with monkeypatch.context() as patched:
        patched.setattr(Workspace, "begin", full)
        for n in range(1, 6):
            clock(n * IDLE * 0.9)
            assert sessions.touch(ws, token)
    clock(IDLE * 5)
    assert sessions.touch(ws, token)
    clock(IDLE * 6)
    assert sessions.touch(ws, token) is None


def test_a_page_does_not_wait_until_it_is_recorded_who_looked_at_it(ws, reader, clock, monkeypatch):
    token = sign_in(ws)
    clock(2 * sessions.TOUCH_EVERY)
    monkeypatch.setattr(Workspace, "begin", lambda _: pytest.fail("it waits for its turn to write"))
    assert sessions.touch(ws, token)


def test_upkeep_records_when_a_session_was_last_in_use(ws, reader, clock):
    token = sign_in(ws)
    clock(IDLE / 2)
    sessions.touch(ws, token)
    upkeep.once(ws)
    with ws.read() as session:
        (seen_at,) = session.scalars(select(WebSession.last_seen_at))
    assert seen_at > now() + IDLE / 4


def test_asking_who_is_signed_in_is_no_activity(ws, reader, clock):
    token = sign_in(ws)
    clock(IDLE - timedelta(minutes=1))
    assert sessions.account_of(ws, token)
    clock(IDLE)
    assert sessions.account_of(ws, token) is None


def test_a_session_ends_after_its_longest_time_whatever_happens(ws, reader, clock):
    token = sign_in(ws)
    step = IDLE / 2
    elapsed = timedelta()
    while elapsed + step < sessions.SESSION:
        elapsed += step
        clock(elapsed)
        assert sessions.touch(ws, token)
    clock(sessions.SESSION)
    assert sessions.touch(ws, token) is None


def test_the_time_left_says_whether_staying_is_possible(ws, reader, clock):
    token = sign_in(ws)
    assert sessions.time_left(ws, "unknown") is None
    left = sessions.time_left(ws, token)
    assert left.may_stay
    assert 3590 <= left.seconds <= 3600
    elapsed = timedelta()
    while elapsed < sessions.SESSION - IDLE / 2:
        elapsed += IDLE / 2
        clock(elapsed)
        sessions.touch(ws, token)
    assert not sessions.time_left(ws, token).may_stay


def test_a_site_says_how_long_nobody_may_be_active(ws, reader, clock):
    short = replace(ws, settings=replace(ws.settings, idle=timedelta(minutes=5)))
    token = sign_in(short)
    clock(timedelta(minutes=6))
    assert sessions.account_of(ws, token)
    assert sessions.account_of(short, token) is None


@pytest.mark.parametrize("put_back", [timedelta(hours=2), timedelta(days=400)])
def test_a_session_of_a_clock_that_went_ahead_does_not_outlast_it(ws, reader, clock, put_back):
    token = sign_in(ws)
    clock(-timedelta(minutes=4))  # as time servers correct it
    assert sessions.account_of(ws, token)
    clock(-put_back)
    assert sessions.account_of(ws, token) is None


def test_signing_out_ends_the_session_at_once(ws, reader):
    token, other = sign_in(ws), sign_in(ws)
    sessions.sign_out(ws, token)
    assert sessions.account_of(ws, token) is None
    assert sessions.account_of(ws, other) == reader
    sessions.sign_out(ws, "unknown")


@pytest.mark.parametrize("token", [None, "", "unknown"])
def test_nobody_holds_an_unknown_session(ws, token):
    assert sessions.account_of(ws, token) is None


def test_a_link_works_once(ws, reader):
    link = accounts.issue_link(ws, reader.id, by=OPERATOR)
    assert sessions.account_of(ws, sessions.redeem_link(ws, link)) == reader
    with pytest.raises(LinkError):
        sessions.redeem_link(ws, link)


def test_a_link_expires(ws, reader, clock):
    token = accounts.issue_link(ws, reader.id, by=OPERATOR)
    clock(links.LINK)
    with pytest.raises(LinkError):
        sessions.redeem_link(ws, token)


def test_deactivating_ends_sessions_and_links_and_activating_revives_neither(ws, reader):
    token, link = sign_in(ws), accounts.issue_link(ws, reader.id, by=OPERATOR)
    assert not accounts.deactivate(ws, reader.id, by=OPERATOR).active
    assert sessions.account_of(ws, token) is None
    accounts.activate(ws, reader.id, by=OPERATOR)
    assert sessions.account_of(ws, token) is None
    with pytest.raises(LinkError):
        sessions.redeem_link(ws, link)
    assert sign_in(ws)


def test_links_are_not_issued_to_who_cannot_sign_in(ws, reader):
    accounts.deactivate(ws, reader.id, by=OPERATOR)
    with pytest.raises(AccessError, match="inactive"):
        accounts.issue_link(ws, reader.id, by=OPERATOR)
    demo = accounts.create_account(ws, "demo", role=Role.READER, demo=True, by=OPERATOR)
    with pytest.raises(AccessError, match="demo reader"):
        accounts.issue_link(ws, demo.id, by=OPERATOR)


def test_a_changed_password_ends_the_other_sessions(ws, reader):
    mine, other = sign_in(ws), sign_in(ws)
    new = "another long password"
    accounts.change_password(ws, reader.id, new, current=PASSWORD, session_token=mine)
    assert sessions.account_of(ws, mine)
    assert sessions.account_of(ws, other) is None
    with pytest.raises(AccessError):
        sign_in(ws)
    assert sign_in(ws, password=new)


def test_a_password_changes_only_for_who_knows_it(ws, reader):
    accounts.change_password(ws, reader.id, PASSWORD, current=PASSWORD, session_token=None)
    with pytest.raises(AccessError, match="current password"):
        accounts.change_password(
            ws, reader.id, "another long password", current="a guess", session_token=None
        )


def test_a_first_password_needs_no_current_one(ws):
    admin = accounts.ensure_administrator(ws, by=OPERATOR)
    accounts.change_password(ws, admin.id, PASSWORD, current="", session_token=None)
    assert sign_in(ws, "admin")


def test_a_reset_password_leaves_the_link_as_the_only_way_in(ws, reader):
    token = sign_in(ws)
    link = accounts.reset_password(ws, reader.id, by=OPERATOR)
    assert sessions.account_of(ws, token) is None
    with pytest.raises(AccessError):
        sign_in(ws)
    assert sessions.redeem_link(ws, link)


def test_a_password_set_from_outside_ends_every_session(ws, reader):
    token = sign_in(ws)
    accounts.set_password(ws, reader.id, "another long password", by=OPERATOR)
    assert sessions.account_of(ws, token) is None
    assert sign_in(ws, password="another long password")


def test_a_role_changes_for_open_sessions(ws, reader):
    token = sign_in(ws)
    accounts.set_role(ws, reader.id, Role.ENGINEER, by=OPERATOR)
    account = sessions.account_of(ws, token)
    assert account is not None
    assert account.role == Role.ENGINEER


def test_the_first_start_adds_an_administrator_without_a_password(ws):
    admin = accounts.ensure_administrator(ws, by=OPERATOR)
    assert (admin.name, admin.role, admin.has_password) == ("admin", Role.ADMINISTRATOR, False)
    assert accounts.ensure_administrator(ws, by=OPERATOR) == admin
    with pytest.raises(AccessError):
        sign_in(ws, "admin", "")


def test_a_start_prints_a_link_until_an_administrator_has_another_way_in(ws):
    assert start.start_link(ws, by=OPERATOR)
    admin = accounts.ensure_administrator(ws, by=OPERATOR)
    accounts.create_account(ws, "ada", role=Role.READER, password=PASSWORD, by=OPERATOR)
    assert start.start_link(ws, by=OPERATOR)
    accounts.set_password(ws, admin.id, PASSWORD, by=OPERATOR)
    assert start.start_link(ws, by=OPERATOR) is None
    assert start.start_link(ws, by=OPERATOR, asked_for=True)


def test_the_last_administrator_stays(ws):
    admin = accounts.ensure_administrator(ws, by=OPERATOR)
    with pytest.raises(AccessError, match="only administrator"):
        accounts.deactivate(ws, admin.id, by=OPERATOR)
    with pytest.raises(AccessError, match="only administrator"):
        accounts.set_role(ws, admin.id, Role.READER, by=OPERATOR)
    second = accounts.create_account(ws, "second", role=Role.ADMINISTRATOR, by=OPERATOR)
    accounts.deactivate(ws, admin.id, by=OPERATOR)
    assert accounts.ensure_administrator(ws, by=OPERATOR) == second


def test_accounts_are_listed_by_name_with_when_they_were_seen(ws, reader):
    accounts.create_account(ws, "aaron", role=Role.ENGINEER, by=OPERATOR)
    sign_in(ws)
    listed = accounts.list_accounts(ws, by=OPERATOR)
    assert [account.name for account in listed] == ["aaron", "ada"]
    assert listed[0].last_seen_at is None
    assert listed[1].last_seen_at is not None
