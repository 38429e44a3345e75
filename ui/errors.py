"""The one place where pages show errors: expected ones in plain words, others by number."""

import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from db.errors import RecordError
from imaging.errors import ImagingError
from review.errors import ReviewError
from xai_core.errors import XaiError

EXPECTED = (ReviewError, RecordError, ImagingError, XaiError)

_log = logging.getLogger(__name__)


@contextmanager
def shown() -> Iterator[None]:
    """Draw an error of the block instead of raising it; the page goes on below the block."""
    try:
        yield
    except EXPECTED as exc:
        st.error(str(exc), icon=":material/error:")
    except Exception:
        _log.exception("incident %s", _draw_incident())


def unexpected(exc: Exception) -> bool:
    """Give an error that no page caught, which Streamlit has just logged, its number.

    Returns:
        True: Streamlit need not show the error itself.
    """
    _log.error("incident %s is the %s above", _draw_incident(), type(exc).__name__)
    return True


def _draw_incident() -> str:
    incident = secrets.token_hex(4)
    with st.container(border=True, width=640):
        st.subheader("Something went wrong")
        st.markdown(
            "What was recorded before is safe. Reload the page to go on; if it happens again, "
            f"tell an administrator the incident number `{incident}`."
        )
    return incident
