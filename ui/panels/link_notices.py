"""What an account is told of sign-in links that others made for it."""

import streamlit as st

from review.access import links
from review.access.accounts import AccountView
from review.access.links import LinkNotice
from ui import guard
from ui.workspace import workspace

HIDDEN = "link_notices_hidden"
N_SHOWN = 3


def draw(account: AccountView) -> None:
    """Say which links were used since the account last took note, until it does."""
    if st.session_state.get(HIDDEN):
        return
    notices = links.notices(workspace(), account.id)
    if not notices:
        return
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        lines = [_words(notice) for notice in notices[:N_SHOWN]]
        if len(notices) > N_SHOWN:
            lines.append(f"And {len(notices) - N_SHOWN} before.")
        with st.container(gap=None):
            for line in lines:
                st.text(line)
            st.caption(
                "If that was not you, tell an administrator other than the one named, and change "
                "your password."
            )
        st.button("Noted", icon=":material/check:", on_click=_take_note, args=(account.id,))


def _words(notice: LinkNotice) -> str:
    return (
        f"A sign-in link for your account was made by {notice.issuer} at "
        f"{notice.issued_at:%Y-%m-%d %H:%M} UTC and used at {notice.used_at:%H:%M} UTC from "
        f"{notice.used_from}."
    )


def _take_note(account_id: int) -> None:
    # Whoever came by such a link is rid of it in this tab alone.
    links.take_note(workspace(), account_id, guard.session_token())
    st.session_state[HIDDEN] = True
