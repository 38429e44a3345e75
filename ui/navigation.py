"""Which pages there are, at which addresses, and who sees them in the menu."""

from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import streamlit as st
from streamlit.navigation.page import Page

from db.types import Role
from review.access.accounts import AccountView
from ui import session_watch

PAGES = Path(__file__).parent.parent / "pages"
ICON = str(Path(__file__).parent / "browser" / "icon.svg")
LOGO = str(Path(__file__).parent / "browser" / "logo.svg")

_ENGINEERS = frozenset({Role.ENGINEER, Role.ADMINISTRATOR})


@dataclass(frozen=True)
class Entry:
    """A page: its file under pages/, title and address, and in whose menu it appears."""

    name: str
    title: str
    roles: frozenset[Role] = frozenset(Role)


WORK = (
    Entry("worklist", "Worklist"),
    Entry("upload", "Upload"),
    Entry("review", "Review"),
    Entry("triage", "Triage", _ENGINEERS),
    Entry("export", "Export", _ENGINEERS),
    Entry("models", "Models", _ENGINEERS),
    Entry("help", "Help"),
)
OWN = (
    Entry("account", "Your account"),
    Entry("accounts", "Accounts", frozenset({Role.ADMINISTRATOR})),
)


def open_page(account: AccountView) -> Page:
    """Draw this account's menu and return the page that is open.

    A page outside its roles keeps its address, so that opening it explains who may see it.
    """
    own = [*_pages(OWN, account.role), _sign_out()]
    menu = {"": _pages(WORK, account.role), account.display_name: own}
    return st.navigation(menu, position="top")


def go(name: str, **query: str | int) -> NoReturn:
    """Leave this page for another one, as `go("review", case=17)`."""
    st.switch_page(_page(_entry(name)), query_params={k: str(v) for k, v in query.items()})


def link(name: str, label: str, *, icon: str | None = None, **query: str | int) -> None:
    """Draw a link to another page, as `link("review", "Open", case=17)`."""
    target = _page(_entry(name))
    st.page_link(target, label=label, icon=icon, query_params={k: str(v) for k, v in query.items()})


def _entry(name: str) -> Entry:
    return next(entry for entry in WORK + OWN if entry.name == name)


def _pages(entries: tuple[Entry, ...], role: Role) -> list[Page]:
    return [_page(entry, role) for entry in entries]


def _page(entry: Entry, role: Role | None = None) -> Page:
    return st.Page(
        PAGES / f"{entry.name}.py",
        title=entry.title,
        url_path=entry.name,
        default=entry is WORK[0],
        visibility="visible" if role is None or role in entry.roles else "hidden",
    )


def _sign_out() -> Page:
    return st.Page(session_watch.leave, title="Sign out", url_path="sign-out")
