"""Where an account is signed in, and signing out there from here."""

import streamlit as st

from review.access import own_sessions
from review.access.accounts import AccountView
from review.access.own_sessions import OwnSession
from ui import errors
from ui.workspace import workspace


def draw(account: AccountView) -> None:
    """List the account's open sessions, each with a way to end it."""
    found = own_sessions.own_sessions(workspace(), account.id)
    others = tuple(own.key for own in found if not own.is_this)
    with st.container(border=True, width=640):
        st.subheader("Where you are signed in")
        for own in found:
            _line(own, account.id)
        if len(others) > 1:
            st.button("End all others", on_click=_end, args=(account.id, others))
        st.caption("End what you do not know, then change your password.")


def _line(own: OwnSession, account_id: int) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        with st.container(gap=None):
            st.text(f"{own.browser or 'Unknown browser'} · {own.address or 'unknown address'}")
            st.caption(
                f"Signed in {own.started_at:%Y-%m-%d %H:%M} UTC · "
                f"last active {own.last_active_at:%H:%M} UTC"
            )
        if own.is_this:
            st.badge("This one", color="green")
        else:
            key = f"end-{own.key}"
            st.button("End", key=key, on_click=_end, args=(account_id, (own.key,)))


def _end(account_id: int, keys: tuple[str, ...]) -> None:
    with errors.shown():
        own_sessions.end_own_sessions(workspace(), account_id, keys)
