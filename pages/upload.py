"""Upload: images and archives in, each with an outcome of its own."""

import streamlit as st

from review.policy import Action
from ui import guard, navigation
from ui.panels import grey_range, upload
from ui.workspace import workspace

account = guard.require(Action.UPLOAD)
ws = workspace()

st.title("Upload")
files = upload.choose()
stated = grey_range.choose()
if files and st.button(f"Store {len(files)} file{'s' if len(files) > 1 else ''}", type="primary"):
    upload.start(ws, files, by=account.id, grey_range=stated)
    st.rerun()

batch = upload.current()
if batch is None:
    upload.explain_what_is_accepted()
else:
    upload.follow(ws, batch, by=account.id)
    navigation.link("worklist", "To the worklist", icon=":material/arrow_forward:")
