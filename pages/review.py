"""Review: one case with its prediction and maps, and the reader's verdict on it."""

import streamlit as st

from ui import guard
from ui.errors import shown
from ui.viewer import actions, component, desk
from ui.workspace import workspace

reader = guard.require()
ws = workspace()

st.html(component.FULL_SCREEN)
with shown():
    done = actions.last_done()
    on_desk = desk.on_desk(ws, reader)
    component.draw(
        on_desk | {"seq": done.seq, "reply": done.reply}, lambda action: actions.act(ws, action)
    )
