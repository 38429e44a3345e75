"""The trail of accesses: who opened, fetched, tried or was refused what, as it happens.

A page or a map does not wait for the record: what was looked at is written by a thread, many rows
at a time, once a second. What opens a door, takes something out or was refused is written before
it is answered. The same access again within a minute is not told again. If the thread falls
behind, or the database takes nothing, `MAX_PENDING` accesses wait in memory; after that whoever
comes writes them, or is told why that cannot be.
"""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from db import accesses
from db.errors import RecordError
from db.hashing import canonical
from db.types import AccessKind, now
from review.policy import Actor, RefusedError, account_id
from review.whence import Whence, here

AGAIN_SECONDS = 60.0
WRITE_EVERY_SECONDS = 1.0
MAX_PENDING = 5_000
MAX_REMEMBERED = 20_000
BATCH = 200  # rows in one transaction: signing waits for no longer

Row = dict[str, Any]

_log = logging.getLogger(__name__)


def tell(
    session: Session,
    kind: AccessKind,
    by: Actor | None,
    *,
    whence: Whence | None = None,
    case_id: int | None = None,
    **content: Any,
) -> None:
    """Record an access in the transaction of what it tells of.

    Args:
        session: Open session; the caller commits.
        kind: What was done.
        by: Who did it; None is a stranger.
        whence: Where from; by default as the request does.
        case_id: The case, where it is about one.
        content: What else there is to tell; without patient data, and nothing secret.
    """
    accesses.append(session, [_row(kind, by, whence or here(), case_id, content)])


class Trail:
    """What one process records of accesses.

    Args:
        begin: Begins a transaction, as `Workspace.begin` does.
        clock: Seconds that only go on.
    """

    def __init__(
        self,
        begin: Callable[[], AbstractContextManager[Session]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._begin = begin
        self._lock = threading.Lock()  # of what waits, and what was told
        self._writing = threading.Lock()
        self._pending: list[Row] = []
        self._told = _Told(clock)
        self._thread: threading.Thread | None = None
        self._ending = threading.Event()

    def note(
        self, kind: AccessKind, by: Actor | None, *, case_id: int | None = None, **content: Any
    ) -> None:
        """Record that something was looked at, soon; see `tell`.

        To be called outside of transactions. At once where no thread runs.

        Raises:
            RecordError: If too many wait already and the database takes none.
        """
        n_waiting = self._add(_row(kind, by, here(), case_id, content))
        if n_waiting >= MAX_PENDING:
            self.write()
        elif n_waiting and self._thread is None:
            self._write_or_log()

    def note_at_once(self, kind: AccessKind, by: Actor | None, **content: Any) -> None:
        """Record an access before it is answered; see `note`."""
        if self._add(_row(kind, by, here(), None, content)):
            self._write_or_log()

    def refused(self, refusal: RefusedError) -> None:
        """Record that somebody was refused something."""
        self.note_at_once(AccessKind.REFUSED, refusal.by, action=refusal.action.value)

    def write(self) -> None:
        """Write what waits.

        Raises:
            RecordError: If the database takes nothing; it waits on.
        """
        with self._writing:
            with self._lock:
                rows, self._pending = self._pending, []
            n_written = 0
            try:
                for first in range(0, len(rows), BATCH):
                    with self._begin() as session:
                        accesses.append(session, rows[first : first + BATCH])
                    n_written = first + BATCH
            finally:
                with self._lock:
                    self._pending[:0] = rows[n_written:]

    def start(self) -> None:
        """Write in a thread from now on."""
        self._ending.clear()
        self._thread = threading.Thread(target=self._run, name="accesses", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread, and write what waits."""
        if self._thread is not None:
            self._ending.set()
            self._thread.join()
            self._thread = None
        self._write_or_log()

    def _run(self) -> None:
        while not self._ending.wait(WRITE_EVERY_SECONDS):
            self._write_or_log()

    def _add(self, row: Row) -> int:
        """Let a row wait, unless it was told of late; return how many wait, 0 if it does not."""
        with self._lock:
            if not self._told.is_new(_key(row)):
                return 0
            self._pending.append(row)
            return len(self._pending)

    def _write_or_log(self) -> None:
        try:
            self.write()
        except (RecordError, SQLAlchemyError) as exc:
            _log.error("%d accesses could not be written and wait: %s", len(self._pending), exc)


class _Told:
    """Which accesses were told within the last minute, the newest of them."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._at: OrderedDict[Hashable, float] = OrderedDict()

    def is_new(self, key: Hashable) -> bool:
        at = self._clock()
        while self._at and next(iter(self._at.values())) <= at - AGAIN_SECONDS:
            self._at.popitem(last=False)
        if key in self._at:
            return False
        if len(self._at) >= MAX_REMEMBERED:
            self._at.popitem(last=False)
        self._at[key] = at
        return True


def _row(
    kind: AccessKind,
    by: Actor | None,
    whence: Whence,
    case_id: int | None,
    content: dict[str, Any],
) -> Row:
    words = whence.operator if by is None or isinstance(by, int) else str(by)
    told = {"by": words} | content
    return {
        "kind": kind,
        "account_id": None if by is None else account_id(by),
        "session": whence.session,
        "address": whence.address,
        "case_id": case_id,
        "content": {name: value for name, value in told.items() if value is not None},
        "created_at": now(),
    }


def _key(row: Row) -> Hashable:
    # A session that changes its address is told once: else whoever has many floods the record.
    address = None if row["session"] else row["address"]
    names = ("kind", "account_id", "session", "case_id")
    return (*(row[name] for name in names), address, canonical(row["content"]))
