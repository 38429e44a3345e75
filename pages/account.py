"""One's own account: name, role, password, second factor, sessions."""

import streamlit as st

from review.access import ways
from ui import guard
from ui.panels import own_sessions, own_ways
from ui.words import ROLES, as_it_is
from ui.workspace import workspace

account = guard.require()
st.title("Your account")
st.markdown(
    f"{as_it_is(account.display_name)} · {ROLES[account.role]} · signs in as `{account.name}`"
)
own = ways.own_ways(workspace(), account.id)
if own.issuer:
    own_ways.elsewhere(own.issuer)
else:
    if not ways.passwords_are_off():
        own_ways.password(account)
    own_ways.factor(account)
own_sessions.draw(account)
