"""A component without a face: leaves the page when the session has ended, so no image stays up."""

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

CHECK_EVERY_SECONDS = 15

_JS = """
const watches = new WeakMap();

async function check() {
  const reply = await fetch("/api/session").catch(() => null);
  if (reply?.ok && !(await reply.json()).signed_in) {
    const here = location.pathname + location.search;
    location.replace("/sign-in?state=ended&next=" + encodeURIComponent(here));
  }
}

export default function ({ data, parentElement }) {
  if (data.leave) {
    location.assign("/sign-out");
  } else if (!watches.has(parentElement)) {
    const timer = setInterval(check, data.check_every_ms);
    window.addEventListener("focus", check);
    watches.set(parentElement, timer);
    check();  // the session may have ended while the page was on its way
  }
  return () => {
    clearInterval(watches.get(parentElement));
    window.removeEventListener("focus", check);
    watches.delete(parentElement);
  };
}
"""


def mount() -> None:
    """Watch the session from the open page."""
    with st.container(key="session-watch"):
        _component()(key="watch", data={"check_every_ms": 1000 * CHECK_EVERY_SECONDS})


def leave() -> None:
    """Sign out: the page that the menu's last entry opens."""
    st.html('<p>Signing out. <a href="/sign-out" target="_self">Continue</a></p>')
    _component()(key="leave", data={"leave": True})


def _component() -> ComponentRenderer:
    return st.components.v2.component("session_watch", html="<span></span>", js=_JS)
