"""The one place where pages show errors: expected ones in plain words, others by number."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from review.errors import EXPECTED, incident
from ui.words import as_it_is

_log = logging.getLogger(__name__)


@contextmanager
def shown() -> Iterator[None]:
    """Draw an error of the block instead of raising it; the page goes on below the block."""
    try:
        yield
    except EXPECTED as exc:
        st.error(as_it_is(str(exc)), icon=":material/error:")
    except Exception as exc:
        _draw_incident(incident(_log, "a page", exc))


def unexpected(exc: Exception) -> bool:
    """Give an error that no page caught, which Streamlit has just logged, its number.

    Returns:
        True: Streamlit need not show the error itself.
    """
    _draw_incident(incident(_log, f"the {type(exc).__name__} above"))
    return True


def _draw_incident(number: str) -> None:
    with st.container(border=True, width=640):
        st.subheader("Something went wrong")
        st.markdown(
            "What was recorded before is safe. Reload the page to go on; if it happens again, "
            f"tell an administrator the incident number `{number}`."
        )
