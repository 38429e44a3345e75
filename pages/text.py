"""Text in pictures: what may name somebody is looked at, masked, or let pass."""

import streamlit as st

from review.policy import Action, may
from ui import guard
from ui.panels import text
from ui.workspace import workspace

engineer = guard.require(Action.CHECK_TEXT)
ws = workspace()

st.title("Text in pictures", anchor=False)
st.caption("Text may name a patient. What is blacked out here is gone for good, from models too.")
if may(engineer, Action.MANAGE_SETTINGS):
    text.site_choice(ws, by=engineer.id)
text.said()
listing, picture = st.columns([1, 3], gap="medium")
with listing:
    case_id = text.queue(ws, by=engineer.id)
with picture:
    text.masks(ws, case_id, by=engineer.id)
