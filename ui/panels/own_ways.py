"""How one's own account comes in: password and second factor, or the OpenID provider."""

from collections.abc import Sequence

import streamlit as st

from review.access import accounts, second_factor
from review.access.accounts import AccountView
from review.access.codes import N_RECOVERY_CODES
from review.access.passwords import MIN_CHARACTERS
from review.access.second_factor import Standing
from ui import errors, guard
from ui.http.second_step import OWN
from ui.http.second_step_page import recovery_file
from ui.workspace import workspace

WIDTH = 460


def elsewhere(issuer: str) -> None:
    """Say that an account comes in by a provider, and so has nothing to set here."""
    st.text(f"You sign in by OpenID at {issuer}: password and second factor are there.")


def password(account: AccountView) -> None:
    """Draw the form that chooses or changes the password, and do it."""
    with st.form("password", width=WIDTH):
        st.subheader("Change your password" if account.has_password else "Choose a password")
        if not account.has_password:
            st.caption("You came in by a link. With a password you can sign in without one.")
        current = ""
        if account.has_password:
            current = st.text_input(
                "Current password", type="password", autocomplete="current-password"
            )
        new = st.text_input(
            "New password",
            type="password",
            autocomplete="new-password",
            help=f"At least {MIN_CHARACTERS} characters, none common; several words are best.",
        )
        again = st.text_input("New password again", type="password", autocomplete="new-password")
        submitted = st.form_submit_button("Save password", type="primary")

    if submitted and new != again:
        st.error("The two new passwords differ.", icon=":material/error:", width=WIDTH)
    elif submitted:
        with errors.shown():
            accounts.change_password(
                workspace(), account.id, new, current=current, session_token=guard.session_token()
            )
            st.success(
                "Saved. Your other sessions have ended.", icon=":material/check:", width=WIDTH
            )


def factor(account: AccountView) -> None:
    """Draw the second factor, and let its holder set it up, renew its codes or turn it off."""
    with st.container(border=True, width=WIDTH):
        st.subheader("Second factor")
        standing = second_factor.standing(workspace(), account.id)
        if standing is None:
            st.caption("A code of an authenticator app, asked for beside the password or the link.")
            # A page of its own: the secret and the codes are in no state of this one.
            st.html(f'<a href="{OWN}" target="_self">Set up a second factor</a>')
            return
        _standing(standing)
        with st.form("factor", border=False):
            password = ""
            if account.has_password:
                password = st.text_input(
                    "Password", type="password", autocomplete="current-password"
                )
            code = st.text_input("Code, or a recovery code", autocomplete="one-time-code")
            with st.container(horizontal=True):
                renews = st.form_submit_button("New recovery codes")
                turns_off = st.form_submit_button("Turn off")
        if renews:
            _renew(account, password, code)
        elif turns_off:
            _turn_off(account, password, code)


def _standing(standing: Standing) -> None:
    st.caption(
        f"On since {standing.since:%Y-%m-%d}. {standing.n_recovery_codes} of {N_RECOVERY_CODES} "
        "recovery codes are left."
    )
    if standing.n_failures:
        st.warning(
            f"Wrong codes within the last day: {standing.n_failures}. If they were not yours, "
            "somebody knows your password: change it.",
            icon=":material/warning:",
        )


def _renew(account: AccountView, password: str, code: str) -> None:
    with errors.shown():
        made = second_factor.renew_codes(workspace(), account.id, code, password=password)
        _show(made, account)


def _turn_off(account: AccountView, password: str, code: str) -> None:
    with errors.shown():
        second_factor.turn_off(workspace(), account.id, code, password=password)
        st.rerun()


def _show(made: Sequence[str], account: AccountView) -> None:
    st.success(
        "The codes from before are void. These are shown this one time: keep them where the "
        "device is not.",
        icon=":material/check:",
    )
    st.code("\n".join(made), language=None)
    st.download_button(
        "Download",
        recovery_file(made, account.name),
        "second-look-recovery-codes.txt",
        on_click="ignore",
    )
