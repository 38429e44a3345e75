import threading
from collections.abc import Callable
from datetime import timedelta

import pyotp
import pytest
from sqlalchemy import select

from db.tables import Access, PendingSignIn, RecoveryCode, SecondFactor, WebSession
from db.types import AccessKind, Role, now
from review.access import accounts, codes, pending, second_factor, second_step, sessions
from review.access.accounts import AccountView
from review.audit import live
from review.errors import (
    AccessError,
    CodesLockedError,
    LinkError,
    SecondFactorNeededError,
    SecondStepError,
    SettingsError,
)
from review.workspace import Workspace
from tests.builders import OPERATOR

PASSWORD = "correct horse battery"


def added(
    ws: Workspace, name: str = "ada", role: Role = Role.READER, password: str | None = None
) -> AccountView:
    return accounts.create_account(ws, name, role=role, password=password, by=OPERATOR)


def given_factor(ws: Workspace, account: AccountView) -> tuple[str, tuple[str, ...]]:
    """Set a second factor up; return its secret and its recovery codes."""
    offer = second_factor.offer(ws, account)
    code = pyotp.TOTP(offer.secret).now()
    made = second_factor.set_up(ws, account.id, offer.sealed, code, password=PASSWORD)
    return offer.secret, made


def next_code(secret: str, steps: int = 1) -> str:
    """Return a code that was not used: that of now set the factor up."""
    return pyotp.TOTP(secret).at(now(), counter_offset=steps)


def half_in(ws: Workspace, name: str = "ada") -> str:
    """Return the token of a sign-in that waits for the second factor."""
    account = accounts.account_named(ws, name, by=OPERATOR)
    with ws.begin() as session:
        token = pending.begin(session, account.id)
    assert token is not None
    return token


def asked(ws: Workspace, account: AccountView) -> bool:
    """Return whether signing in asks the account for a second factor."""
    with ws.begin() as session:
        return pending.begin(session, account.id) is not None


def told(ws: Workspace, kind: AccessKind) -> list[dict[str, object]]:
    with ws.read() as session:
        return list(session.scalars(select(Access.content).where(Access.kind == kind)))


def later(monkeypatch: pytest.MonkeyPatch, by: timedelta) -> None:
    for module in (second_factor, second_step, pending):
        monkeypatch.setattr(module, "now", lambda: now() + by)


def test_a_password_alone_opens_no_session_once_there_is_a_second_factor(workspace):
    secret, _ = given_factor(workspace, added(workspace, password=PASSWORD))
    with pytest.raises(SecondFactorNeededError) as needed:
        sessions.sign_in(workspace, "ada", PASSWORD)
    token = needed.value.token
    assert sessions.account_of(workspace, token) is None
    entered = second_step.enter(workspace, token, next_code(secret))
    assert sessions.account_of(workspace, entered).name == "ada"
    assert told(workspace, AccessKind.SIGNED_IN)[-1] == {"way": "password", "second_factor": "code"}


def test_a_link_stands_in_for_the_password_not_for_the_second_factor(workspace):
    account = added(workspace)
    secret, _ = given_factor(workspace, account)
    link = accounts.issue_link(workspace, account.id, by=OPERATOR)
    with pytest.raises(SecondFactorNeededError) as needed:
        sessions.redeem_link(workspace, link)
    with pytest.raises(LinkError):
        sessions.redeem_link(workspace, link)
    second_step.enter(workspace, needed.value.token, next_code(secret))
    signed_in = told(workspace, AccessKind.SIGNED_IN)[-1]
    assert (signed_in["way"], signed_in["second_factor"]) == ("link", "code")
    assert "operating_system_user" in signed_in["by_link_of"]


def test_a_code_is_taken_once_whoever_waits_with_it(workspace):
    secret, _ = given_factor(workspace, added(workspace))
    first, second = half_in(workspace), half_in(workspace)
    code = next_code(secret)
    second_step.enter(workspace, first, code)
    with pytest.raises(AccessError, match="used already"):
        second_step.enter(workspace, second, code)


def test_the_code_that_set_it_up_opens_nothing(workspace):
    account = added(workspace)
    offer = second_factor.offer(workspace, account)
    code = pyotp.TOTP(offer.secret).now()
    second_factor.set_up(workspace, account.id, offer.sealed, code, password=PASSWORD)
    with pytest.raises(AccessError, match="used already"):
        second_step.enter(workspace, half_in(workspace), code)


@pytest.mark.parametrize(
    ("steps", "fits"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)]
)
def test_clocks_may_differ_by_one_step(steps, fits):
    secret, at = pyotp.random_base32(), now()
    assert (
        codes.step_of(secret, pyotp.TOTP(secret).at(at, counter_offset=steps), at) is not None
    ) == fits


def test_codes_are_those_of_rfc_6238():
    secret = pyotp.TOTP("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ").secret
    at = now().fromtimestamp(59, tz=now().tzinfo)
    assert codes.step_of(secret, "287082", at) == 1


def test_a_pending_sign_in_is_good_once_and_for_ten_minutes(workspace, monkeypatch):
    secret, made = given_factor(workspace, added(workspace))
    token = half_in(workspace)
    second_step.enter(workspace, token, next_code(secret))
    with pytest.raises(SecondStepError):
        second_step.enter(workspace, token, made[0])
    late = half_in(workspace)
    later(monkeypatch, pending.PENDING)
    assert second_step.waiting(workspace, late) is None
    with pytest.raises(SecondStepError):
        second_step.enter(workspace, late, made[0])


@pytest.mark.parametrize("token", ["", "made up", None])
def test_nothing_waits_under_a_made_up_token(workspace, token):
    given_factor(workspace, added(workspace))
    with pytest.raises(SecondStepError):
        second_step.enter(workspace, token, "123456")


def test_a_recovery_code_lets_in_once_however_it_is_typed(workspace):
    _, made = given_factor(workspace, added(workspace))
    assert len(set(made)) == codes.N_RECOVERY_CODES
    typed = f" {made[0].upper().replace('-', ' ')} "
    second_step.enter(workspace, half_in(workspace), typed)
    assert told(workspace, AccessKind.SIGNED_IN)[-1]["second_factor"] == "recovery code"
    with pytest.raises(AccessError):
        second_step.enter(workspace, half_in(workspace), made[0])
    standing = second_factor.standing(
        workspace, accounts.account_named(workspace, "ada", by=OPERATOR).id
    )
    assert (standing.n_recovery_codes, standing.n_failures) == (9, 1)


def test_neither_secret_nor_recovery_codes_are_stored_in_plain(workspace):
    secret, made = given_factor(workspace, added(workspace))
    stored = workspace.settings.home / "second-look.db"
    held = stored.read_bytes()
    assert secret.encode() not in held
    assert not any(code.encode() in held or codes.plain(code).encode() in held for code in made)


def test_a_secret_of_another_account_or_key_does_not_open(workspace):
    ada, eve = added(workspace), added(workspace, "eve")
    secret, _ = given_factor(workspace, eve)
    given_factor(workspace, ada)
    with workspace.begin() as session:
        stolen = session.scalar(
            select(SecondFactor.secret).where(SecondFactor.account_id == eve.id)
        )
        of_ada = select(SecondFactor).where(SecondFactor.account_id == ada.id)
        session.scalar(of_ada).secret = stolen
    with pytest.raises(AccessError, match="another key"):
        second_step.enter(workspace, half_in(workspace), next_code(secret))


def test_five_wrong_codes_wait_a_quarter_of_an_hour_even_for_the_right_one(workspace, monkeypatch):
    secret, _ = given_factor(workspace, added(workspace))
    for _ in range(5):
        with pytest.raises(AccessError):
            second_step.enter(workspace, half_in(workspace), "abcdef")
    token = half_in(workspace)
    with pytest.raises(CodesLockedError):
        second_step.enter(workspace, token, next_code(secret))
    assert [each.get("why") for each in told(workspace, AccessKind.SIGN_IN_FAILED)] == [
        *[None] * 5,
        "too many wrong codes",
    ]
    later(monkeypatch, timedelta(minutes=15, seconds=1))
    assert second_step.enter(workspace, half_in(workspace), next_code(secret, 31))


def test_twenty_wrong_codes_wait_a_day(workspace, monkeypatch):
    given_factor(workspace, added(workspace))
    for number in range(20):
        later(monkeypatch, number * timedelta(minutes=5))
        with pytest.raises(AccessError):
            second_step.enter(workspace, half_in(workspace), "abcdef")
    later(monkeypatch, timedelta(hours=20))
    with pytest.raises(CodesLockedError):
        second_step.enter(workspace, half_in(workspace), "abcdef")


def test_a_stranger_without_the_password_locks_nobodys_codes(workspace):
    secret, _ = given_factor(workspace, added(workspace))
    for _ in range(10):
        with pytest.raises(AccessError):
            second_step.enter(workspace, "made up", "123456")
    assert second_step.enter(workspace, half_in(workspace), next_code(secret))


def all_at_once(call: Callable[[int], object], n: int) -> list[object]:
    """Return what n calls at once return, or the errors that they end with."""
    ended: list[object] = []
    barrier = threading.Barrier(n)

    def run(number: int) -> None:
        barrier.wait()
        try:
            ended.append(call(number))
        except AccessError as exc:
            ended.append(exc)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return ended


def test_of_two_tabs_with_the_same_code_one_comes_in(each_workspace):
    secret, _ = given_factor(each_workspace, added(each_workspace))
    tokens, code = [half_in(each_workspace) for _ in range(4)], next_code(secret)
    ended = all_at_once(lambda n: second_step.enter(each_workspace, tokens[n], code), 4)
    assert len([each for each in ended if isinstance(each, str)]) == 1


def test_guesses_in_parallel_are_counted_all_the_same(each_workspace):
    account = added(each_workspace)
    given_factor(each_workspace, account)
    tokens = [half_in(each_workspace) for _ in range(8)]
    ended = all_at_once(lambda n: second_step.enter(each_workspace, tokens[n], "abcdef"), 8)
    assert len([each for each in ended if isinstance(each, CodesLockedError)]) == 3
    assert second_factor.standing(each_workspace, account.id).n_failures == 5


def test_of_two_tabs_that_set_it_up_one_does(each_workspace):
    account = added(each_workspace)
    offers = [second_factor.offer(each_workspace, account) for _ in range(3)]

    def set_up(number: int) -> object:
        offer = offers[number]
        code = pyotp.TOTP(offer.secret).now()
        return second_factor.set_up(
            each_workspace, account.id, offer.sealed, code, password=PASSWORD
        )

    ended = all_at_once(set_up, 3)
    assert len([each for each in ended if isinstance(each, tuple)]) == 1


def test_setting_it_up_asks_for_the_password_and_a_code(workspace):
    account = added(workspace, password=PASSWORD)
    offer = second_factor.offer(workspace, account)
    code = pyotp.TOTP(offer.secret).now()
    with pytest.raises(AccessError, match="password does not fit"):
        second_factor.set_up(workspace, account.id, offer.sealed, code, password="wrong horse")
    with pytest.raises(AccessError, match="code does not fit"):
        second_factor.set_up(workspace, account.id, offer.sealed, "abcdef", password=PASSWORD)
    assert second_factor.standing(workspace, account.id) is None


def test_an_offer_is_its_accounts_and_ends(workspace, monkeypatch):
    ada, eve = added(workspace), added(workspace, "eve")
    offer = second_factor.offer(workspace, eve)
    code = pyotp.TOTP(offer.secret).now()
    with pytest.raises(AccessError):
        second_factor.set_up(workspace, ada.id, offer.sealed, code, password=PASSWORD)
    later(monkeypatch, second_factor.OFFER)
    with pytest.raises(AccessError, match="too old"):
        second_factor.set_up(workspace, eve.id, offer.sealed, code, password=PASSWORD)


def test_it_is_turned_off_by_password_and_code(workspace):
    account = added(workspace, password=PASSWORD)
    secret, _ = given_factor(workspace, account)
    with pytest.raises(AccessError):
        second_factor.turn_off(workspace, account.id, next_code(secret), password="wrong horse")
    with pytest.raises(AccessError):
        second_factor.turn_off(workspace, account.id, "abcdef", password=PASSWORD)
    second_factor.turn_off(workspace, account.id, next_code(secret), password=PASSWORD)
    assert not asked(workspace, account)
    with workspace.read() as session:
        assert session.scalars(select(SecondFactor.secret)).all() == [None]
        assert all(code.used_at for code in session.scalars(select(RecoveryCode)))


def test_new_recovery_codes_void_those_from_before(workspace):
    account = added(workspace)
    secret, former = given_factor(workspace, account)
    made = second_factor.renew_codes(workspace, account.id, next_code(secret), password=PASSWORD)
    with pytest.raises(AccessError):
        second_step.enter(workspace, half_in(workspace), former[0])
    assert second_step.enter(workspace, half_in(workspace), made[0])
    assert told(workspace, AccessKind.RECOVERY_CODES_MADE) == [{}]


def test_an_administrator_removes_what_is_lost_and_it_is_told(workspace):
    account, administrator = added(workspace), added(workspace, "root", Role.ADMINISTRATOR)
    link = accounts.issue_link(workspace, account.id, by=OPERATOR)
    session_token = sessions.redeem_link(workspace, link)
    given_factor(workspace, account)
    waits = half_in(workspace)
    second_factor.remove(workspace, account.id, by=administrator.id)
    assert sessions.account_of(workspace, session_token) is None
    assert second_step.waiting(workspace, waits) is None
    assert not asked(workspace, account)
    with pytest.raises(AccessError, match="no second factor"):
        second_factor.remove(workspace, account.id, by=administrator.id)
    with pytest.raises(AccessError, match="Your own"):
        second_factor.remove(workspace, administrator.id, by=administrator.id)
    assert not any(live.row_problems(workspace))


def test_a_second_factor_taken_away_in_the_database_is_found(workspace):
    given_factor(workspace, added(workspace))
    with workspace.sessions.kw["bind"].begin() as connection:
        connection.execute(SecondFactor.__table__.update().values(removed_at=now()))
    assert any("second factor 1" in (each or "") for each in live.row_problems(workspace))


def test_a_role_that_has_to_have_one_sets_it_up_before_it_is_in(workspace, monkeypatch):
    monkeypatch.setenv(second_factor.VARIABLE, "administrators")
    assert not asked(workspace, added(workspace))
    added(workspace, "root", Role.ADMINISTRATOR)
    token = half_in(workspace, "root")
    with workspace.read() as session:
        assert not session.scalars(select(WebSession)).all()
    waits = second_step.waiting(workspace, token)
    assert waits.sets_up
    with pytest.raises(SecondStepError):
        second_step.enter(workspace, token, "123456")
    offer = second_factor.offer(workspace, waits.account)
    code = pyotp.TOTP(offer.secret).now()
    entered, made = second_step.enter_by_setting_up(workspace, token, offer.sealed, code)
    assert sessions.account_of(workspace, entered).name == "root"
    assert len(made) == codes.N_RECOVERY_CODES
    with pytest.raises(SecondStepError):
        second_step.enter_by_setting_up(workspace, token, offer.sealed, code)


def test_setting_one_up_while_signing_in_replaces_none(workspace, monkeypatch):
    monkeypatch.setenv(second_factor.VARIABLE, "everyone")
    account = added(workspace)
    token = half_in(workspace)
    given_factor(workspace, account)
    offer = second_factor.offer(workspace, account)
    code = pyotp.TOTP(offer.secret).now()
    with pytest.raises(AccessError, match="You have a second factor"):
        second_step.enter_by_setting_up(workspace, token, offer.sealed, code)


def test_a_closed_account_and_a_new_password_end_what_waits(workspace):
    account = added(workspace)
    secret, _ = given_factor(workspace, account)
    for end in (
        lambda: accounts.set_password(workspace, account.id, PASSWORD, by=OPERATOR),
        lambda: accounts.deactivate(workspace, account.id, by=OPERATOR),
    ):
        token = half_in(workspace)
        end()
        with pytest.raises(SecondStepError):
            second_step.enter(workspace, token, next_code(secret))
    with workspace.read() as session:
        assert all(each.spent_at for each in session.scalars(select(PendingSignIn)))


def test_nonsense_in_the_setting_is_said(monkeypatch):
    monkeypatch.setenv(second_factor.VARIABLE, "doctors")
    with pytest.raises(SettingsError, match="administrators or everyone"):
        second_factor.required_of()
