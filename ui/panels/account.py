"""The parts of the accounts page: the table, and what can be done to one account."""

from collections.abc import Sequence
from urllib.parse import urlsplit

import streamlit as st

from db.types import Role
from review.access import accounts, links
from review.access.accounts import AccountView
from review.policy import Actor
from review.processes import serving
from review.workspace import Workspace
from ui import errors
from ui.words import ROLES, as_it_is

_LINK_NOTE = "It works once, within {hours} hours. Hand it over in a way that you trust."


def table(everyone: Sequence[AccountView]) -> AccountView | None:
    """Draw the accounts and return the one that is selected, if any."""
    rows = [
        {
            "Name": account.display_name,
            "Signs in as": account.name,
            "Role": ROLES[account.role],
            "State": _state(account),
            "Last seen": account.last_seen_at,
        }
        for account in everyone
    ]
    event = st.dataframe(
        rows,
        key="accounts",
        on_select="rerun",
        selection_mode="single-row",
        hide_index=True,
        row_height=38,
        placeholder="Never",
        column_config={
            "Last seen": st.column_config.DatetimeColumn(format="distance", width="small")
        },
    )
    selected = event["selection"]["rows"]
    if not selected:
        st.caption("Select a row to change its role, issue a sign-in link or close it.")
        return None
    return everyone[selected[0]]


def add(ws: Workspace, *, by: Actor) -> None:
    """Draw the form that adds an account, and the link of the one just added."""
    with st.form("add", clear_on_submit=True):
        st.subheader("Add an account")
        name = st.text_input("Signs in as", max_chars=accounts.MAX_NAME, placeholder="a.lovelace")
        display_name = st.text_input(
            "Name", max_chars=accounts.MAX_DISPLAY_NAME, placeholder="Ada Lovelace"
        )
        roles = list(Role)
        role = st.selectbox("Role", roles, format_func=ROLES.__getitem__)
        submitted = st.form_submit_button("Add account", type="primary")
    if submitted:
        with errors.shown():
            account = accounts.create_account(ws, name, by=by, role=role, display_name=display_name)
            _show_link(ws, account, accounts.issue_link(ws, account.id, by=by))


def manage(ws: Workspace, account: AccountView, *, by: Actor) -> None:
    """Draw what can be done to an account, and do it."""
    with st.container(border=True):
        st.subheader(account.display_name)
        st.caption(f"{_state(account)} · signs in as `{account.name}`")
        if account.demo:
            st.markdown("A demo reader: its verdicts show how the screens look; nobody signs in.")
            return
        with errors.shown():
            _role(ws, account, by=by)
            _entrance(ws, account, by=by)


def _role(ws: Workspace, account: AccountView, *, by: Actor) -> None:
    roles = list(Role)
    role = st.selectbox(
        "Role",
        roles,
        index=roles.index(account.role),
        format_func=ROLES.__getitem__,
        key=f"role-{account.id}",
    )
    if role != account.role:
        accounts.set_role(ws, account.id, role, by=by)
        st.rerun()


def _entrance(ws: Workspace, account: AccountView, *, by: Actor) -> None:
    if not account.active:
        if st.button("Activate", type="primary", width="stretch"):
            accounts.activate(ws, account.id, by=by)
            st.rerun()
        return
    if st.button("Issue sign-in link", width="stretch"):
        _show_link(ws, account, accounts.issue_link(ws, account.id, by=by))
    if account.has_password and st.button(
        "Reset password",
        width="stretch",
        help="Forgets the password, ends open sessions and issues a link.",
    ):
        _show_link(ws, account, accounts.reset_password(ws, account.id, by=by))
    if st.button(
        "End sessions",
        width="stretch",
        help="Signs the account out everywhere, and voids links that were not used.",
    ):
        accounts.end_sessions(ws, account.id, by=by)
        st.success("Signed out everywhere.", icon=":material/check:")
    if st.button("Deactivate", width="stretch", help="Ends open sessions. Verdicts stay."):
        accounts.deactivate(ws, account.id, by=by)
        st.rerun()


def _show_link(ws: Workspace, account: AccountView, token: str) -> None:
    here = urlsplit(st.context.url or "")
    address = serving.link_address(ws, token, f"{here.scheme}://{here.netloc}")
    hours = int(links.LINK.total_seconds() // 3600)
    with st.container(border=True):
        st.markdown(f"**Sign-in link for {as_it_is(account.display_name)}**")
        st.code(address, language=None, wrap_lines=True)
        st.caption(_LINK_NOTE.format(hours=hours))


def _state(account: AccountView) -> str:
    if account.demo:
        return "Demo"
    if not account.active:
        return "Inactive"
    return "Active" if account.has_password else "Active, by link"
