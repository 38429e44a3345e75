"""Accounts, for administrators: who may come in, and as what."""

import streamlit as st

from review.access import accounts, ways
from review.policy import Action
from ui import guard
from ui.panels import account
from ui.workspace import workspace

administrator = guard.require(Action.MANAGE_ACCOUNTS)
ws = workspace()
st.title("Accounts")
st.caption("Accounts are never removed, for their verdicts stay. An inactive one cannot sign in.")

ways_in = ways.ways_of_all(ws, by=administrator.id)
everyone = accounts.list_accounts(ws, by=administrator.id)
left, right = st.columns([5, 3], gap="large")
with left:
    chosen = account.table(everyone, ways_in)
with right:
    if chosen is None:
        account.add(ws, by=administrator.id)
    else:
        way = ways_in.get(chosen.id, account.LOCAL)
        account.manage(ws, chosen, way, by=administrator.id)
