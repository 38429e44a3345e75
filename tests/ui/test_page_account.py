from datetime import timedelta

from db.tables import WebSession
from db.types import Role
from review.access import accounts, sessions
from review.access.tokens import token_sha256
from review.whence import Whence, coming_from
from tests.builders import OPERATOR
from ui import guard


def signed_in_elsewhere(ws, address: str, browser: str) -> str:
    """Sign the account of these tests in once more; it was active there some minutes ago."""
    account = accounts.account_named(ws, f"a-{Role.READER}", by=OPERATOR)
    with coming_from(Whence(address=address, browser=browser)):
        token = sessions.redeem_link(ws, accounts.issue_link(ws, account.id, by=OPERATOR))
    with ws.begin() as session:
        session.get_one(WebSession, token_sha256(token)).last_seen_at -= timedelta(minutes=9)
    return token


def test_ones_sessions_are_listed_and_one_is_ended(open_page, ws):
    page = open_page("account")
    mine = guard.session_token()
    token = signed_in_elsewhere(ws, "10.0.0.8", "Firefox on Windows")
    page.run()
    assert [text.value for text in page.text] == [
        "Unknown browser · unknown address",
        "Firefox on Windows · 10.0.0.8",
    ]
    next(button for button in page.button if button.label == "End").click().run()
    assert not page.exception
    assert len(page.text) == 1
    assert sessions.account_of(ws, token) is None
    assert sessions.account_of(ws, mine)


def test_all_others_are_ended_at_once(open_page, ws):
    page = open_page("account")
    mine = guard.session_token()
    tokens = [signed_in_elsewhere(ws, f"10.0.0.{n}", "Firefox on Windows") for n in range(2)]
    page.run()
    next(button for button in page.button if button.label == "End all others").click().run()
    assert [sessions.account_of(ws, token) for token in tokens] == [None, None]
    assert sessions.account_of(ws, mine)
