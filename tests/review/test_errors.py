import logging
import subprocess
import sys

import pytest

from db.errors import NotFoundError
from imaging.errors import CorruptImageError
from review.errors import EXPECTED, AccessError, incident
from xai_core.errors import Cancelled


@pytest.mark.parametrize("error", [NotFoundError, CorruptImageError, AccessError, Cancelled])
def test_what_a_room_raises_on_purpose_is_expected(error):
    assert issubclass(error, EXPECTED)


@pytest.mark.parametrize("error", [Exception, ValueError, OSError])
def test_anything_else_is_not(error):
    assert not issubclass(error, EXPECTED)


def test_an_incident_is_found_in_the_log_by_its_number(caplog):
    log = logging.getLogger("some.room")
    first, second = incident(log, "a page", ValueError("why")), incident(log, "the one above")
    assert first != second
    told, told_again = caplog.records
    assert (told.getMessage(), told_again.exc_info) == (f"incident {first}: a page", None)
    assert "ValueError: why" in caplog.text


def test_the_web_process_can_have_errors_without_what_is_slow_to_import():
    check = "import review.errors, sys; assert not {'torch', 'streamlit'} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", check], check=True)
