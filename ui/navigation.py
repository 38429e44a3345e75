"""Which pages there are, at which addresses, and who sees them in the menu."""

from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import streamlit as st
from streamlit.navigation.page import Page

from review.access.accounts import AccountView
from review.policy import Action, may
from ui import session_watch

PAGES = Path(__file__).parent.parent / "pages"
ICON = str(Path(__file__).parent / "browser" / "icon.svg")
LOGO = str(Path(__file__).parent / "browser" / "logo.svg")


@dataclass(frozen=True)
class Entry:
    """A page: its file under pages/, title and address, and what who sees it may do."""

    name: str
    title: str
    action: Action | None = None


WORK = (
    Entry("worklist", "Worklist", Action.READ),
    Entry("upload", "Upload", Action.UPLOAD),
    Entry("review", "Review", Action.READ),
    Entry("triage", "Triage", Action.SEE_TRIAGE),
    Entry("text", "Text in pictures", Action.CHECK_TEXT),
    Entry("export", "Export", Action.EXPORT),
    Entry("models", "Models", Action.MANAGE_MODELS),
    Entry("help", "Help"),
)
OWN = (
    Entry("account", "Your account"),
    Entry("accounts", "Accounts", Action.MANAGE_ACCOUNTS),
    Entry("audit", "Audit", Action.SEE_AUDIT),
)


def open_page(account: AccountView) -> Page:
    """Draw this account's menu and return the page that is open.

    A page that they may not see keeps its address, so that opening it explains who may.
    """
    own = [*_pages(OWN, account), _sign_out()]
    menu = {"": _pages(WORK, account), account.display_name: own}
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


def _pages(entries: tuple[Entry, ...], account: AccountView) -> list[Page]:
    return [_page(entry, account) for entry in entries]


def _page(entry: Entry, account: AccountView | None = None) -> Page:
    hidden = account is not None and entry.action is not None and not may(account, entry.action)
    return st.Page(
        PAGES / f"{entry.name}.py",
        title=entry.title,
        url_path=entry.name,
        default=entry is WORK[0],
        visibility="hidden" if hidden else "visible",
    )


def _sign_out() -> Page:
    return st.Page(session_watch.leave, title="Sign out", url_path="sign-out")
