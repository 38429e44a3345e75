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
    except Exception as exc:
        unexpected(exc)


def unexpected(exc: Exception) -> bool:
    """Log an error that nobody foresaw and draw its number; the browser learns no more.

    Returns:
        True: Streamlit need not show the error itself.
    """
    incident = secrets.token_hex(4)
    _log.error("incident %s", incident, exc_info=exc)
    with st.container(border=True):
        st.subheader("Something went wrong")
        st.markdown(
            "What was recorded before is safe. Reload the page to go on; if it happens again, "
            f"tell an administrator the incident number `{incident}`."
        )
    return True
