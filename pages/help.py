"""Help: what a heatmap is and is not, in plain words."""

from pathlib import Path

import streamlit as st

from ui import guard

guard.require()
st.title("Help", anchor=False)
with st.container(width=820):
    st.markdown((Path(guard.__file__).parent / "help.md").read_text(encoding="utf-8"))
