"""Accounts, for administrators: who may come in, and as what."""

import streamlit as st

from review.access import accounts
from review.policy import Action
from ui import guard
from ui.panels import account
from ui.workspace import workspace

administrator = guard.require(Action.MANAGE_ACCOUNTS)
ws = workspace()
st.title("Accounts")
st.caption("Accounts are never removed, for their verdicts stay. An inactive one cannot sign in.")

everyone = accounts.list_accounts(ws, by=administrator.id)
left, right = st.columns([5, 3], gap="large")
with left:
    chosen = account.table(everyone)
with right:
    if chosen is None:
        account.add(ws, by=administrator.id)
    else:
        account.manage(ws, chosen, by=administrator.id)
