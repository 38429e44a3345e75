"""Python loads this first where its folder is on PYTHONPATH: a clock that somebody turns.

A file holds by how many seconds the clock is wrong. Only what reads the clock is changed:
`db.types.now`, by which the record and its rules know the time, and `time.time`. What only goes on
(`time.monotonic`) goes on, as where an administrator sets a clock.
"""

import os
import time
from datetime import datetime, timedelta
from pathlib import Path

import db.types

HANDS = Path(os.environ["DRILL_CLOCK"])
true_now, true_time = db.types.now, time.time


def wrong_by() -> float:
    """Return the seconds by which the clock is wrong now."""
    return float(HANDS.read_text() or 0)


def now() -> datetime:
    """Return what the clock says, in UTC."""
    return true_now() + timedelta(seconds=wrong_by())


def clock() -> float:
    """Return what the clock says, in seconds of the epoch."""
    return true_time() + wrong_by()


db.types.now, time.time = now, clock
