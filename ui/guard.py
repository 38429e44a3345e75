"""The first line of every page: who is here, and may they see this?

The gate (`ui.http.gate`) has refused requests without a session; the guard holds even where a page
runs some other way, and looks the session up again on every run.
"""

from typing import NoReturn

import streamlit as st

from review import policy
from review.access import sessions
from review.access.accounts import AccountView
from review.access.tokens import token_sha256
from review.policy import Action, RefusedError
from review.whence import Whence, come_from
from ui.http.cookies import session_cookie
from ui.http.gate import ADDRESS_HEADER
from ui.words import ROLES
from ui.workspace import workspace

_HOLDER = "account_id"


def require(action: Action | None = None) -> AccountView:
    """Return who is signed in, or draw why not and stop the page.

    Args:
        action: What the page is for; None is open to anyone signed in.
    """
    account = signed_in()
    if account is None:
        _ask_to_sign_in()
    if action and not policy.may(account, action):
        workspace().trail.refused(RefusedError(f"page for {action}", account.id, action))
        _refuse(account, action)
    _forget_former(account)
    return account


def signed_in() -> AccountView | None:
    """Return who is signed in, and let what this run does be recorded as coming from there."""
    token = session_token()
    address = st.context.headers.get(ADDRESS_HEADER)
    come_from(Whence(token_sha256(token) if token else None, address))
    return sessions.account_of(workspace(), token)


def session_token() -> str | None:
    """Return the session cookie that the browser sent when it connected."""
    return st.context.cookies.get(session_cookie(workspace().settings))


def _forget_former(account: AccountView) -> None:
    """Drop the state of whoever used this tab before: Streamlit resumes it for the next account."""
    if st.session_state.get(_HOLDER, account.id) != account.id:
        st.session_state.clear()
    st.session_state[_HOLDER] = account.id


def _ask_to_sign_in() -> NoReturn:
    with st.container(border=True, width=420):
        st.subheader("Sign in to go on")
        st.html('<p>Your session has ended. <a href="/sign-in" target="_self">Sign in</a></p>')
    st.stop()


def _refuse(account: AccountView, action: Action) -> NoReturn:
    with st.container(border=True, width=560):
        st.subheader("This page is not open to you")
        st.markdown(
            f"You are signed in as {account.display_name} ({ROLES[account.role].lower()}). "
            f"It is open to {policy.who(action)}. An administrator can change your role."
        )
        st.html('<a href="/" target="_self">To the worklist</a>')
    st.stop()
