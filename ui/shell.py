"""The entry script: runs before every page, on every rerun."""

import streamlit as st

from ui import guard, navigation, session_watch
from ui.words import PRODUCT

st.set_page_config(page_icon=navigation.ICON, layout="wide", menu_items={"About": PRODUCT})
account = guard.require()
st.logo(navigation.LOGO, size="large")
page = navigation.open_page(account)
session_watch.mount()
page.run()
