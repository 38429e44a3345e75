"""Review: one case with its prediction and maps, and the reader's verdict on it."""

import streamlit as st

from review.policy import Action
from ui import guard
from ui.errors import shown
from ui.viewer import actions, component, desk
from ui.workspace import workspace

reader = guard.require(Action.READ)
ws = workspace()

st.html(component.FULL_SCREEN)
with shown():
    done = actions.last_done()
    data = desk.on_desk(ws, reader) | {"seq": done.seq, "reply": done.reply}
    component.draw(data, lambda action: actions.act(ws, action))
