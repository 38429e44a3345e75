"""Whoever asks first writes first: a queue before a database that lets one write at a time.

SQLite lets those who wait try again after pauses of their own choosing, so that one may wait for
seconds while others pass.
"""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from db.errors import StorageError


class Turns:
    """A lock that is given in the order in which it was asked for."""

    def __init__(self, patience_seconds: float) -> None:
        self._patience_seconds = patience_seconds
        self._lock = threading.Lock()
        self._waiting: deque[threading.Event] = deque()
        self._taken = False

    @contextmanager
    def turn(self, patience_seconds: float | None = None) -> Iterator[None]:
        """Wait for one's turn and hold it for the block.

        Args:
            patience_seconds: For how long to wait, if not as long as everybody.

        Raises:
            StorageError: If it does not come in time.
        """
        self._take(self._patience_seconds if patience_seconds is None else patience_seconds)
        try:
            yield
        finally:
            self._pass_on()

    def _take(self, patience_seconds: float) -> None:
        with self._lock:
            if not self._taken:
                self._taken = True
                return
            mine = threading.Event()
            self._waiting.append(mine)
        if mine.wait(patience_seconds):
            return
        with self._lock:
            if mine in self._waiting:
                self._waiting.remove(mine)
                raise StorageError("the database is busy: nothing was recorded; try again")
        # It came at the last moment, and is mine.

    def _pass_on(self) -> None:
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._taken = False
