"""Fixtures for pages: a fresh workspace, and any page run in AppTest as any role."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from db.types import Role
from review.access import accounts, sessions
from review.access.accounts import AccountView
from review.settings import DATABASE_VARIABLE, HOME_VARIABLE
from review.workspace import Workspace
from tests.builders import OPERATOR
from ui import guard
from ui.workspace import workspace

PAGES = Path(__file__).parents[2] / "pages"


@pytest.fixture
def ws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """The workspace that pages see: empty, in a folder of its own, nobody signed in."""
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))
    monkeypatch.delenv(DATABASE_VARIABLE, raising=False)
    monkeypatch.setattr(guard, "session_token", lambda: None)
    workspace.clear()
    opened = workspace()
    yield opened
    workspace.clear()
    opened.sessions.kw["bind"].dispose()


@pytest.fixture
def signed_in(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> Callable[[Role], AccountView]:
    """Sign the pages of this test in as a new account of a role; return the account."""

    def sign_in(role: Role) -> AccountView:
        account = accounts.create_account(
            ws, f"a-{role}", role=role, display_name=f"A. {role}", by=OPERATOR
        )
        token = sessions.redeem_link(ws, accounts.issue_link(ws, account.id, by=OPERATOR))
        monkeypatch.setattr(guard, "session_token", lambda: token)
        return account

    return sign_in


@pytest.fixture
def open_page(ws: Workspace, signed_in: Callable[[Role], AccountView]) -> Callable[..., AppTest]:
    """Run a page: `open_page("review", Role.READER, case=17)`; None as the role is nobody."""

    def run(name: str, role: Role | None = Role.READER, **query: object) -> AppTest:
        if role is not None:
            signed_in(role)
        page = AppTest.from_file(str(PAGES / f"{name}.py"), default_timeout=20)
        for key, value in query.items():
            page.query_params[key] = str(value)
        return page.run()

    return run
