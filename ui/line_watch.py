"""A component of every page: a banner while the line to the server is down.

It also sends verdicts that a page left behind before they were confirmed (ADR 0031).
"""

import streamlit as st

from review.access.accounts import AccountView
from ui.http import assets

_component = st.components.v2.component(
    "line_watch", html="<span></span>", js=assets.entry_script("line_banner.js")
)


def mount(account: AccountView) -> None:
    """Watch the line from the open page, for whoever is signed in."""
    with st.container(key="line-watch"):
        _component(key="line", data={"reader_id": account.id})
