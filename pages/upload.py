"""Upload: images and archives in, each with an outcome of its own."""

import streamlit as st

from review.cases import batches
from review.policy import Action
from ui import guard, navigation
from ui.panels import grey_range, upload
from ui.workspace import workspace

account = guard.require(Action.UPLOAD)
ws = workspace()

st.title("Upload")
batch = upload.current(ws, by=account.id)
batches.state_range(ws, grey_range.choose(), by=account.id)
upload.choose(batch)
if batch is None:
    upload.explain_what_is_accepted()
else:
    upload.follow(ws, batch, by=account.id)
    navigation.link("worklist", "To the worklist", icon=":material/arrow_forward:")
