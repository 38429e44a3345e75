"""The one open workspace of the web process."""

import streamlit as st

from review.settings import Settings
from review.workspace import Workspace


@st.cache_resource(show_spinner=False)
def workspace() -> Workspace:
    """Return the installation that the environment names, opened once per process."""
    return Workspace.open(Settings.load())
