"""One's own account: name, role, password, sessions."""

import streamlit as st

from review.access import accounts
from review.access.passwords import MIN_CHARACTERS
from ui import errors, guard
from ui.panels import own_sessions
from ui.words import ROLES, as_it_is
from ui.workspace import workspace

account = guard.require()
st.title("Your account")
st.markdown(
    f"{as_it_is(account.display_name)} · {ROLES[account.role]} · signs in as `{account.name}`"
)

with st.form("password", width=460):
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
        help=f"At least {MIN_CHARACTERS} characters, and no common one; several words are best.",
    )
    again = st.text_input("New password again", type="password", autocomplete="new-password")
    submitted = st.form_submit_button("Save password", type="primary")

if submitted and new != again:
    st.error("The two new passwords differ.", icon=":material/error:", width=460)
elif submitted:
    with errors.shown():
        accounts.change_password(
            workspace(), account.id, new, current=current, session_token=guard.session_token()
        )
        st.success("Saved. Your other sessions have ended.", icon=":material/check:", width=460)

own_sessions.draw(account)
