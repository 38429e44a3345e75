"""Worklist: every case, found by search and filters, in reading order."""

from dataclasses import replace

import streamlit as st

from review.cases import worklist
from review.policy import Action
from ui import guard
from ui.errors import shown
from ui.words import HELP_NOT_EVIDENCE
from ui.worklist import filters, table
from ui.workspace import workspace

reader = guard.require(Action.READ)
ws = workspace()

st.title("Worklist", anchor=False)
st.caption(f"Choose a case to read it. {HELP_NOT_EVIDENCE}")
with shown():
    choices = worklist.choices(ws, by=reader.id)
    if not choices.any_cases:
        table.no_cases()
        st.stop()
    query = filters.chosen(choices, reader)
    page = worklist.search(ws, query, by=reader.id)
    query = replace(query, page=page.number)
    filters.remember(query)
    if page.n_total:
        table.draw(ws, query, page)
    else:
        table.no_match()
