"""Accounts, for administrators: who may come in, and as what."""

import streamlit as st

from db.types import Role
from review import accounts
from ui import account_panel, guard
from ui.workspace import workspace

guard.require(Role.ADMINISTRATOR)
ws = workspace()
st.title("Accounts")
st.caption("Accounts are never removed, for their verdicts stay. An inactive one cannot sign in.")

everyone = accounts.list_accounts(ws)
left, right = st.columns([5, 3], gap="large")
with left:
    chosen = account_panel.table(everyone)
with right:
    if chosen is None:
        account_panel.add(ws)
    else:
        account_panel.manage(ws, chosen)
