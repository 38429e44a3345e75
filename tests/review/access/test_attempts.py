"""How fast passwords may be guessed, and that nobody is kept out by another's guesses."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select

from db.tables import SignInAttempt
from db.types import Role, now
from review.access import accounts, attempts, own_password, sessions
from review.access.attempts import FREE, FREE_AWAY, LONGEST_WAIT
from review.errors import AccessError, SignInLockedError
from review.settings import Settings
from review.whence import Whence, coming_from
from review.workspace import Workspace
from tests.builders import OPERATOR

RIGHT, WRONG = "correct horse battery", "wrong"
HOSPITAL, ELSEWHERE = "10.0.0.7", "9.9.9.9"


@pytest.fixture
def ws(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A workspace with ada, and a password that costs nothing to look at."""
    accounts.create_account(workspace, "ada", role=Role.READER, password=RIGHT, by=OPERATOR)
    monkeypatch.setattr(sessions, "matches", lambda hashed, typed: bool(hashed) and typed == RIGHT)
    return workspace


@pytest.fixture
def advance(monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
    """Move the time, from where it was moved before."""
    moved = timedelta()

    def by(step: timedelta) -> None:
        nonlocal moved
        moved += step
        monkeypatch.setattr(attempts, "now", lambda: now() + moved)

    return by


def tries(ws: Workspace, password: str, *, name: str = "ada", address: str = HOSPITAL) -> bool:
    """Try to sign in; return whether that succeeded, where it was looked at."""
    with coming_from(Whence(address=address)):
        try:
            sessions.sign_in(ws, name, password)
        except SignInLockedError:
            raise
        except AccessError:
            return False
    return True


def fail(ws: Workspace, n: int = FREE, *, name: str = "ada", address: str = HOSPITAL) -> None:
    """Count failures, as `sign_in` does before it looks at the password."""
    key = attempts.name_key(name, ws.settings.identity_key)
    with coming_from(Whence(address=address)), ws.begin() as session:
        for _ in range(n):
            attempts.reserve(session, key)


def test_a_name_waits_where_it_failed_even_with_the_right_password(ws):
    fail(ws)
    with pytest.raises(SignInLockedError) as locked:
        tries(ws, RIGHT)
    assert 14 <= locked.value.seconds <= 15


def test_nobody_is_kept_out_by_failures_elsewhere(ws):
    assert tries(ws, RIGHT)
    for n in range(FREE_AWAY // FREE):
        fail(ws, address=f"9.9.9.{n}")
    with pytest.raises(SignInLockedError):
        tries(ws, WRONG, address="9.9.9.200")  # guesses that are spread over addresses wait
    assert tries(ws, RIGHT)


def test_a_link_makes_its_address_one_where_the_name_is_at_home(ws):
    ada = accounts.account_named(ws, "ada", by=OPERATOR)
    with coming_from(Whence(address=HOSPITAL)):
        sessions.redeem_link(ws, accounts.issue_link(ws, ada.id, by=OPERATOR))
    for n in range(FREE_AWAY // FREE):
        fail(ws, address=f"9.9.9.{n}")
    assert tries(ws, RIGHT)


def test_an_address_of_many_readers_keeps_none_of_them_out(ws):
    assert tries(ws, RIGHT)
    for n in range(FREE_AWAY):
        fail(ws, 1, name=f"name{n}")
    assert tries(ws, RIGHT)
    with pytest.raises(SignInLockedError):
        tries(ws, WRONG, name="another")
    fail(ws, 1, name="another", address=ELSEWHERE)


def test_mistypings_of_those_at_home_slow_no_newcomer(ws, monkeypatch):
    for n in range(5):
        accounts.create_account(ws, f"r{n}", role=Role.READER, password=RIGHT, by=OPERATOR)
        assert tries(ws, RIGHT, name=f"r{n}")
        fail(ws, FREE - 1, name=f"r{n}")
    assert tries(ws, RIGHT)


def test_an_address_forgets_within_an_hour(ws, advance):
    for n in range(FREE_AWAY):
        fail(ws, 1, name=f"name{n}")
    advance(timedelta(hours=1))
    assert tries(ws, RIGHT)


def test_each_failure_doubles_the_wait_up_to_a_limit_and_it_is_said_truly(ws, advance):
    fail(ws, FREE - 1)
    waits = []
    for _ in range(9):
        fail(ws, 1)
        with pytest.raises(SignInLockedError) as locked:
            tries(ws, RIGHT)
        waits.append(locked.value.seconds)
        advance(timedelta(seconds=locked.value.seconds))
    assert [round(seconds / 15) for seconds in waits] == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert tries(ws, RIGHT)


def test_a_day_of_guessing_one_name_is_a_hundred_guesses(ws, advance):
    n_guesses, elapsed = 0, timedelta()
    with ws.begin() as session:
        while elapsed < timedelta(days=1):
            try:
                attempts.reserve(session, "ada")
                n_guesses += 1
            except SignInLockedError as exc:
                step = timedelta(seconds=exc.seconds)
                elapsed += step
                advance(step)
    assert n_guesses < 110


def test_words_say_seconds_and_minutes():
    assert "in 89 s." in str(SignInLockedError(89))
    assert "in 15 min." in str(SignInLockedError(int(LONGEST_WAIT.total_seconds())))


def test_a_success_forgets_the_failures_before_it(ws):
    for _ in range(2):
        fail(ws, FREE - 1)
        assert tries(ws, RIGHT)


def test_failures_outlive_a_restart(ws):
    fail(ws)
    again = Workspace.open(ws.settings)
    with pytest.raises(SignInLockedError):
        tries(again, RIGHT)
    again.sessions.kw["bind"].dispose()


def test_a_clock_that_is_put_back_locks_nobody(ws, advance):
    advance(timedelta(days=400))
    fail(ws)
    advance(-timedelta(days=400))
    assert tries(ws, RIGHT)


def test_a_subscriber_of_ipv6_is_one_address(ws):
    for n in range(FREE):
        fail(ws, 1, address=f"2001:db8:1:2::{n + 1}")
    with pytest.raises(SignInLockedError):
        tries(ws, RIGHT, address="2001:db8:1:2:ffff::1")
    assert tries(ws, RIGHT, address="2001:db8:1:3::1")


def test_the_current_password_is_guessed_no_faster(ws, monkeypatch):
    ada = accounts.account_named(ws, "ada", by=OPERATOR).id
    monkeypatch.setattr(own_password, "matches", lambda _, typed: typed == RIGHT)
    new = "another long password"
    for _ in range(FREE):
        with pytest.raises(AccessError, match="does not fit"):
            accounts.change_password(ws, ada, new, current=WRONG, session_token=None)
    with pytest.raises(SignInLockedError):
        accounts.change_password(ws, ada, new, current=RIGHT, session_token=None)


def test_a_new_password_that_is_refused_costs_no_attempt(ws):
    ada = accounts.account_named(ws, "ada", by=OPERATOR).id
    for _ in range(FREE + 1):
        with pytest.raises(AccessError, match="12 to 256"):
            accounts.change_password(ws, ada, "short", current=RIGHT, session_token=None)


def test_of_forty_attempts_at_once_no_more_than_the_free_ones_are_looked_at(ws):
    assert looked_at_of_forty(ws) == FREE


def test_of_forty_attempts_at_once_on_a_server_neither(ws, tmp_path, postgresql_server):
    other = Workspace.open(Settings(tmp_path, postgresql_server.emptied(), bytes(32)))
    assert looked_at_of_forty(other) == FREE
    other.sessions.kw["bind"].dispose()


def looked_at_of_forty(ws: Workspace) -> int:
    def guess(_: int) -> bool:
        try:
            tries(ws, WRONG)
        except SignInLockedError:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        n_looked_at = sum(pool.map(guess, range(40)))
    with ws.read() as session:
        assert len(session.scalars(select(SignInAttempt)).all()) == n_looked_at
    return n_looked_at
