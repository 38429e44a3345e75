"""Worklist: every case, found by search and filters, in reading order."""

import streamlit as st

from review import worklist
from ui import guard, worklist_table
from ui.words import HELP_NOT_EVIDENCE
from ui.workspace import workspace

reader = guard.require()
ws = workspace()

st.title("Worklist", anchor=False)
st.caption(f"Choose a case to read it. {HELP_NOT_EVIDENCE}")
query = worklist_table.choose_query(worklist.choices(ws))
page = worklist.search(ws, query)
if page.n_total:
    worklist_table.table(ws, query, page, reader.id)
else:
    worklist_table.nothing(query)
