"""One's own account: name, role, password."""

import streamlit as st

from ui import guard
from ui.words import ROLES

account = guard.require()
st.title(account.display_name)
st.markdown(f"{ROLES[account.role]} · signs in as `{account.name}`")
