"""Where one is signed in, and signing out there from here."""

import pytest
from sqlalchemy import select

from db.tables import Access
from db.types import AccessKind, Role
from review.access import accounts, own_sessions, sessions
from review.access.tokens import token_sha256
from review.errors import LinkError
from review.whence import Whence, coming_from
from review.workspace import Workspace
from tests.builders import OPERATOR

PASSWORD = "correct horse battery"


@pytest.fixture
def ws(workspace: Workspace) -> Workspace:
    return workspace


@pytest.fixture
def ada(ws) -> int:
    return accounts.create_account(ws, "ada", role=Role.READER, password=PASSWORD, by=OPERATOR).id


def signed_in(ws, address: str, browser: str) -> str:
    with coming_from(Whence(address=address, browser=browser)):
        return sessions.sign_in(ws, "ada", PASSWORD)


def test_each_open_session_says_where_it_was_opened_this_one_first(ws, ada):
    here = signed_in(ws, "10.0.0.7", "Chromium on Linux")
    signed_in(ws, "10.0.0.8", "Firefox on Windows")
    sessions.sign_out(ws, signed_in(ws, "10.0.0.9", "Safari on iOS"))
    with coming_from(Whence(token_sha256(here))):
        found = own_sessions.own_sessions(ws, ada)
    assert [(own.address, own.browser, own.is_this) for own in found] == [
        ("10.0.0.7", "Chromium on Linux", True),
        ("10.0.0.8", "Firefox on Windows", False),
    ]


def test_one_that_is_ended_is_signed_out_and_on_record(ws, ada):
    here, there = signed_in(ws, "1.1.1.1", "x"), signed_in(ws, "2.2.2.2", "y")
    own_sessions.end_own_sessions(ws, ada, (token_sha256(there),))
    assert sessions.account_of(ws, there) is None
    assert sessions.account_of(ws, here)
    with ws.read() as session:
        (row,) = session.scalars(select(Access).where(Access.kind == AccessKind.SESSION_ENDED))
    assert (row.account_id, row.content) == (
        ada,
        {
            "of_account": ada,
            "of_session": token_sha256(there)[:12],
            "why": "its holder ended it",
        },
    )


def test_nobody_ends_anothers(ws, ada):
    there = signed_in(ws, "1.1.1.1", "x")
    eve = accounts.create_account(ws, "eve", role=Role.ADMINISTRATOR, by=OPERATOR).id
    own_sessions.end_own_sessions(ws, eve, (token_sha256(there),))
    assert sessions.account_of(ws, there)


def test_an_administrator_signs_an_account_out_everywhere(ws, ada):
    there, link = signed_in(ws, "1.1.1.1", "x"), accounts.issue_link(ws, ada, by=OPERATOR)
    accounts.end_sessions(ws, ada, by=OPERATOR)
    assert sessions.account_of(ws, there) is None
    with pytest.raises(LinkError):
        sessions.redeem_link(ws, link)
    assert sessions.sign_in(ws, "ada", PASSWORD)
