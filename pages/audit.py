"""Audit, for administrators: who looked at what, did what, and was refused."""

import streamlit as st

from review.audit import listing
from review.policy import Action
from ui import guard
from ui.panels import audit
from ui.workspace import workspace

administrator = guard.require(Action.SEE_AUDIT)
ws = workspace()
st.title("Audit", anchor=False)
audit.kept(ws, by=administrator.id)

wanted = audit.choose_filter(listing.people(ws, by=administrator.id))
found = listing.page(ws, wanted, by=administrator.id, before=audit.place(wanted))
audit.table(found, wanted)
audit.pager(found)
