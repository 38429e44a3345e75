"""The parts of the accounts page: the table, and what can be done to one account."""

import importlib
from collections.abc import Mapping, Sequence
from types import ModuleType
from urllib.parse import urlsplit

import streamlit as st

from db.types import Role
from review.access import accounts, links, openid_settings, second_factor
from review.access.accounts import AccountView
from review.access.ways import Ways
from review.policy import Actor
from review.processes import serving
from review.workspace import Workspace
from ui import errors
from ui.words import ROLES, as_it_is

LOCAL = Ways()
_LINK_NOTE = "It works once, within {hours} hours. Hand it over in a way that you trust."


def table(everyone: Sequence[AccountView], ways_in: Mapping[int, Ways]) -> AccountView | None:
    """Draw the accounts, with how each comes in, and return the one that is selected, if any."""
    rows = [
        {
            "Name": account.display_name,
            "Signs in as": account.name,
            "Role": ROLES[account.role],
            "State": _state(account),
            "Comes in by": _way(account, ways_in.get(account.id, LOCAL)),
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


def manage(ws: Workspace, account: AccountView, way: Ways, *, by: Actor) -> None:
    """Draw what can be done to an account that comes in by a way, and do it."""
    with st.container(border=True):
        st.subheader(account.display_name)
        st.caption(f"{_state(account)} · signs in as `{account.name}`")
        if account.demo:
            st.markdown("A demo reader: its verdicts show how the screens look; nobody signs in.")
            return
        with errors.shown():
            if way.issuer:
                st.text(f"Is {way.subject} at {way.issuer}.")
            else:
                _role(ws, account, by=by)
            _entrance(ws, account, way, by=by)


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


def _entrance(ws: Workspace, account: AccountView, way: Ways, *, by: Actor) -> None:
    if not account.active:
        if st.button("Activate", type="primary", width="stretch"):
            accounts.activate(ws, account.id, by=by)
            st.rerun()
        return
    if not way.issuer:
        _links(ws, account, by=by)
    if way.second_factor and st.button(
        "Remove second factor",
        width="stretch",
        help="For one that is lost. Ends open sessions.",
    ):
        second_factor.remove(ws, account.id, by=by)
        st.rerun()
    _openid(ws, account, way, by=by)
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


def _links(ws: Workspace, account: AccountView, *, by: Actor) -> None:
    if st.button("Issue sign-in link", width="stretch"):
        _show_link(ws, account, accounts.issue_link(ws, account.id, by=by))
    if account.has_password and st.button(
        "Reset password",
        width="stretch",
        help="Forgets the password, ends open sessions and issues a link. A second factor stays.",
    ):
        _show_link(ws, account, accounts.reset_password(ws, account.id, by=by))


def _openid(ws: Workspace, account: AccountView, way: Ways, *, by: Actor) -> None:
    """Link an account to the site's provider, or unlink it."""
    if way.issuer:
        words = "It comes in here again, by a new link. Ends open sessions."
        if st.button("Unlink from OpenID", width="stretch", help=words):
            _linking().unlink(ws, account.id, by=by)
            st.rerun()
        return
    site = openid_settings.load()
    if site is None:
        return
    with st.form("openid", border=False):
        subject = st.text_input(
            f"Subject at {site.label}",
            help="Who it is there (`sub`). From then on it comes in by OpenID alone: its password "
            "is forgotten, and its role comes from there.",
        )
        if st.form_submit_button("Link to OpenID", width="stretch"):
            _linking().link(ws, account.id, subject, by=by)
            st.rerun()


def _linking() -> ModuleType:
    """Return the use cases of OpenID, loaded where a site has a provider."""
    return importlib.import_module("review.access.openid")


def _way(account: AccountView, way: Ways) -> str:
    if account.demo:
        return ""
    if way.issuer:
        return f"OpenID at {way.issuer}"
    own = "Password" if account.has_password else "Link"
    return f"{own} and second factor" if way.second_factor else own


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
    return "Active"
