"""Upload: images and archives in, each with an outcome of its own."""

import streamlit as st

from ui import guard, navigation, upload_panel
from ui.workspace import workspace

account = guard.require()
ws = workspace()

st.title("Upload")
files = upload_panel.choose()
if files and st.button(f"Store {len(files)} file{'s' if len(files) > 1 else ''}", type="primary"):
    upload_panel.start(ws, files, by=account.id)
    st.rerun()

batch = upload_panel.current()
if batch is None:
    upload_panel.explain_what_is_accepted()
else:
    upload_panel.follow(ws, batch)
    navigation.link("worklist", "To the worklist", icon=":material/arrow_forward:")
