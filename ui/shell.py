"""The entry script: runs before every page, on every rerun."""

from pathlib import Path

import streamlit as st

from ui import guard, line_watch, navigation, session_watch
from ui.panels import link_notices

st.set_page_config(page_icon=navigation.ICON, layout="wide")
st.html(Path(__file__).parent / "browser" / "shell.css")
account = guard.require()
st.logo(navigation.LOGO, size="large")
page = navigation.open_page(account)
session_watch.mount()
line_watch.mount(account)
link_notices.draw(account)
page.run()
