"""A log that nobody outside can fill: each place in the code is heard so often and no oftener."""

import logging
import time
from collections.abc import Callable

MAX_A_MINUTE = 20
MINUTE_SECONDS = 60.0


class BoundedLog(logging.Filter):
    """Lets each place write `MAX_A_MINUTE` records, and later says how many it left out."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._heard: dict[tuple[str, int], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether a record is written."""
        place = (record.pathname, record.lineno)  # a message may be of a stranger's making
        at = self._clock()
        began, n_heard = self._heard.get(place, (at, 0))
        if at - began >= MINUTE_SECONDS:
            if n_heard > MAX_A_MINUTE:
                record.msg = f"{record.msg} (and {n_heard - MAX_A_MINUTE:,} like it before)"
            began, n_heard = at, 0
        self._heard[place] = (began, n_heard + 1)
        return n_heard < MAX_A_MINUTE
