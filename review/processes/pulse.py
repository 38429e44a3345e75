"""A worker's pulse: a thread that holds the lease while work goes on, and ends what does not.

The work itself may be deep in a forward pass for minutes, or for ever; the thread is not.
"""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy.exc import OperationalError

from db import jobs
from db.errors import StorageError
from review.errors import SettingsError
from review.processes.deaths import STOOD_STILL
from review.workspace import Workspace

STILL_VARIABLE = "SECOND_LOOK_STILL_SECONDS"
STILL_SECONDS = 600.0
PIPE_VARIABLE = "SECOND_LOOK_PULSE_PIPE"
BEAT_SECONDS = 1.0
STOP_SECONDS = 10.0

_log = logging.getLogger(__name__)


@dataclass
class _AtHand:
    """The job at hand, and when it last came further."""

    job_id: int
    moved_at: float
    renewed_at: float


class Pulse:
    """Beats while its worker lives.

    Args:
        ws: The installation.
        worker: The worker's name.
        lease_seconds: How long a lease is.
        end: Ends this process with a status, whatever it is doing.
    """

    def __init__(
        self,
        ws: Workspace,
        worker: str,
        *,
        lease_seconds: float,
        end: Callable[[int], object] = os._exit,
    ) -> None:
        self._ws, self._worker, self._lease_seconds, self._end = ws, worker, lease_seconds, end
        self._still_seconds = still_seconds()
        self._at_hand: _AtHand | None = None
        self._orphaned_at: float | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)

    @contextmanager
    def beating(self) -> Iterator["Pulse"]:
        """Beat until the block ends."""
        self._thread.start()
        try:
            yield self
        finally:
            self._stopping.set()
            self._thread.join()

    @contextmanager
    def at_work(self, job_id: int) -> Iterator[None]:
        """Hold the lease of a job for as long as the block comes further."""
        at = time.monotonic()
        self._at_hand = _AtHand(job_id, at, at)
        try:
            yield
        finally:
            self._at_hand = None

    def moved(self) -> None:
        """Say that the job at hand came further."""
        if self._at_hand is not None:
            self._at_hand.moved_at = time.monotonic()

    def _run(self) -> None:
        while not self._stopping.wait(BEAT_SECONDS):
            self._tell_supervisor()
            if (at_hand := self._at_hand) is not None:
                self._look_at(at_hand)

    def _look_at(self, at_hand: _AtHand) -> None:
        at = time.monotonic()
        if at - at_hand.moved_at > self._still_seconds:
            _log.critical(
                "job %d came no further for %.0f s: this worker ends",
                at_hand.job_id,
                self._still_seconds,
            )
            self._end(STOOD_STILL)
        elif at - at_hand.renewed_at > self._lease_seconds / 4:
            at_hand.renewed_at = at
            try:
                with self._ws.begin() as session:
                    jobs.renew(
                        session,
                        at_hand.job_id,
                        worker=self._worker,
                        lease_seconds=self._lease_seconds,
                    )
            except (StorageError, OperationalError):
                _log.warning("the lease of job %d could not be renewed", at_hand.job_id)

    def _tell_supervisor(self) -> None:
        """Write to the supervisor; where it is gone, stop, and end if that takes too long."""
        if self._orphaned_at is not None:
            if time.monotonic() - self._orphaned_at > STOP_SECONDS:
                self._end(1)
        elif pipe := os.environ.get(PIPE_VARIABLE):
            try:
                os.write(int(pipe), b".")
            except BlockingIOError:
                pass  # it lives, and is busy
            except OSError:
                self._orphaned_at = time.monotonic()
                os.kill(os.getpid(), signal.SIGTERM)


def still_seconds() -> float:
    """Return for how long a job may come no further before its worker ends.

    Raises:
        SettingsError: If the variable holds no whole number of seconds above 0.
    """
    value = os.environ.get(STILL_VARIABLE, f"{STILL_SECONDS:.0f}")
    if not value.isdecimal() or int(value) == 0:
        raise SettingsError(f"{STILL_VARIABLE} is {value!r}: allowed are whole seconds above 0")
    return float(value)
