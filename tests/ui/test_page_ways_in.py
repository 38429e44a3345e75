import pyotp
import pytest
from sqlalchemy import select

from db.tables import OpenIdIdentity
from db.types import Role
from review.access import accounts, openid_settings, second_factor, ways
from tests.builders import OPERATOR
from tests.ui.test_page_accounts import select as select_row

ISSUER = "https://login.example"


@pytest.fixture
def provider(monkeypatch):
    for name, value in (("ISSUER", ISSUER), ("CLIENT_ID", "us"), ("ROLES", "readers=reader")):
        monkeypatch.setenv(openid_settings.PREFIX + name, value)


def given_factor(ws, account) -> tuple[str, ...]:
    offer = second_factor.offer(ws, account)
    code = pyotp.TOTP(offer.secret).now()
    return second_factor.set_up(ws, account.id, offer.sealed, code, password="")


def reader(ws):
    return accounts.create_account(ws, "zoe", role=Role.READER, by=OPERATOR)


def press(page, label):
    next(button for button in page.button if button.label == label).click()
    return page.run()


def own_factor(page, ws) -> tuple[str, ...]:
    """Give whoever is signed in a second factor, draw the page again, and return the codes."""
    account = accounts.list_accounts(ws, by=OPERATOR)[0]
    made = given_factor(ws, account)
    page.run()
    return made


def test_the_second_factor_is_set_up_on_a_page_of_its_own(open_page):
    page = open_page("account", Role.READER)
    assert "Turn off" not in [button.label for button in page.button]
    assert any('href="/second-factor"' in html.proto.body for html in page.get("html"))


def test_new_recovery_codes_are_shown_once(open_page, ws):
    page = open_page("account", Role.READER)
    made = own_factor(page, ws)
    page.text_input[-1].input(made[0])
    press(page, "New recovery codes")
    assert len(set(page.code[0].value.split()) - set(made)) == 10
    assert not page.run().code


def test_the_second_factor_is_turned_off_by_a_code(open_page, ws):
    page = open_page("account", Role.READER)
    made = own_factor(page, ws)
    page.text_input[-1].input("123456")
    press(page, "Turn off")
    assert "does not fit" in page.error[0].value
    page.run()
    assert "Wrong codes within the last day: 1" in page.warning[0].value
    page.text_input[-1].input(made[0])
    press(page, "Turn off")
    assert not page.exception
    assert "Turn off" not in [button.label for button in page.button]


def test_an_administrator_sees_and_removes_a_second_factor(open_page, ws):
    given_factor(ws, reader(ws))
    page = open_page("accounts", Role.ADMINISTRATOR)
    assert list(page.dataframe[0].value["Comes in by"]) == ["Link", "Link and second factor"]
    press(select_row(page, 1), "Remove second factor")
    assert list(page.dataframe[0].value["Comes in by"]) == ["Link", "Link"]


def test_an_account_is_linked_to_the_provider_and_unlinked(open_page, ws, provider):
    account = reader(ws)
    page = select_row(open_page("accounts", Role.ADMINISTRATOR), 1)
    page.text_input[0].input("zoe-1")
    press(page, "Link to OpenID")
    assert list(page.dataframe[0].value["Comes in by"]) == ["Link", f"OpenID at {ISSUER}"]
    labels = [button.label for button in page.button]
    assert "Issue sign-in link" not in labels
    assert not page.selectbox
    press(page, "Unlink from OpenID")
    assert ways.ways_of_all(ws, by=OPERATOR).get(account.id) is None
    with ws.read() as session:
        assert session.scalar(select(OpenIdIdentity)).removed_at is not None


def test_without_a_provider_there_is_nothing_to_link_to(open_page, ws):
    reader(ws)
    page = select_row(open_page("accounts", Role.ADMINISTRATOR), 1)
    assert "Link to OpenID" not in [button.label for button in page.button]


def test_who_comes_by_the_provider_sees_their_sessions_and_no_password(open_page, ws):
    page = open_page("account", Role.READER)
    account = accounts.list_accounts(ws, by=OPERATOR)[0]
    with ws.begin() as session:
        session.add(OpenIdIdentity(account_id=account.id, issuer=ISSUER, subject="zoe-1"))
    page.run()
    assert not page.text_input
    assert any(ISSUER in text.value for text in page.text)
    assert "Where you are signed in" in [heading.value for heading in page.subheader]


def test_where_the_provider_is_the_only_way_no_password_is_chosen(open_page, provider, monkeypatch):
    page = open_page("account", Role.ADMINISTRATOR)
    monkeypatch.setenv(f"{openid_settings.PREFIX}ONLY", "yes")
    assert "Save password" not in [button.label for button in page.run().button]
