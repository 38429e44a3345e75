"""A component without a face: leaves the page when the session has ended, so no image stays up."""

from pathlib import Path

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

CHECK_EVERY_SECONDS = 15

_SCRIPT = (Path(__file__).parent / "browser" / "session_watch.js").read_text()


def mount() -> None:
    """Watch the session from the open page."""
    with st.container(key="session-watch"):
        _component()(key="watch", data={"check_every_ms": 1000 * CHECK_EVERY_SECONDS})


def leave() -> None:
    """Sign out: the page that the menu's last entry opens."""
    st.html('<p>Signing out. <a href="/sign-out" target="_self">Continue</a></p>')
    _component()(key="leave", data={"leave": True})


def _component() -> ComponentRenderer:
    return st.components.v2.component("session_watch", html="<span></span>", js=_SCRIPT)
