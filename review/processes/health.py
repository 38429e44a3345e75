"""Whether the site is well: its record is there and can be written, and somebody does the work."""

import logging
import os
import shutil
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.exc import SQLAlchemyError

from db.errors import RecordError
from db.tables import Job
from db.types import JobStatus, now
from review.processes import serving
from review.workspace import Workspace

LOCK_SECONDS = 2.0
KEPT_SECONDS = 2.0  # for how long an answer holds: anybody may ask, and each look takes the lock
LOW_DISK_BYTES = 500_000_000
# Writes nothing that differs, and takes it back: still it needs the lock and the journal.
TRIAL = "UPDATE settings SET updated_at = updated_at WHERE key = 'verdict_chain_head'"
LOOK = "SELECT count(*) FROM (SELECT * FROM verdicts ORDER BY id DESC LIMIT 1) AS last"

_log = logging.getLogger(__name__)


@dataclass
class Health:
    """Looks after one installation.

    Args:
        ws: The installation.
        n_workers: How many workers should run here.
    """

    ws: Workspace
    n_workers: int = 0
    clock: Callable[[], float] = time.monotonic
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _looked_at: float | None = None
    _trouble: str | None = None
    _file: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        self._file = _identity(self._database())

    def trouble(self) -> str | None:
        """Return what is wrong, in words for whoever runs the site; None if it is well."""
        with self._lock:
            if self._looked_at is None or self.clock() - self._looked_at >= KEPT_SECONDS:
                self._trouble = self._look()
                self._looked_at = self.clock()
                if self._trouble:
                    _log.error("the site is not well: %s", self._trouble)
            return self._trouble

    def readiness(self) -> dict[str, Any]:
        """Return whether the site can do its work: database, workers, queue and disk, as JSON."""
        trouble = self.trouble()
        n_free = shutil.disk_usage(self.ws.settings.home).free
        n_alive = serving.n_alive()
        ready = trouble is None and n_alive >= self.n_workers and n_free >= LOW_DISK_BYTES
        return {
            "status": "ready" if ready else "not ready",
            "database": "ok" if trouble is None else "failed",
            "workers": {"alive": n_alive, "wanted": self.n_workers},
            "queue": None if trouble else self._queue(),
            "disk_free_bytes": n_free,
        }

    def _look(self) -> str | None:
        try:
            database = self._database()
            if database is None:
                self._try_server()
            else:
                if _identity(database) != self._file:
                    return f"{database} was deleted or replaced while the site runs: restart it"
                _try_file(database)
            with tempfile.TemporaryFile(dir=self.ws.settings.home) as file:
                file.write(bytes(4096))
                file.flush()
                os.fsync(file.fileno())
        except (SQLAlchemyError, sqlite3.Error, RecordError, OSError) as exc:
            return str(getattr(exc, "orig", exc))
        return None

    def _database(self) -> Path | None:
        """Return SQLite's file; None where the database is a server."""
        url = self.ws.sessions.kw["bind"].url
        return Path(url.database) if url.get_backend_name() == "sqlite" else None

    def _try_server(self) -> None:
        with self.ws.sessions() as session:
            session.execute(text(f"SET LOCAL lock_timeout = '{LOCK_SECONDS:.0f}s'"))
            session.execute(text(LOOK))
            session.execute(text(TRIAL))
            session.rollback()

    def _queue(self) -> dict[str, Any]:
        with self.ws.read() as session:
            n_waiting, oldest_at = session.execute(
                select(func.count(), func.min(Job.created_at)).where(Job.status == JobStatus.QUEUED)
            ).one()
        age = (now() - oldest_at).total_seconds() if oldest_at else 0.0
        return {"waiting": n_waiting, "oldest_seconds": round(age)}


def _try_file(path: Path) -> None:
    """Open the file anew, for a connection of long ago does not notice what became of it."""
    address = f"{path.absolute().as_uri()}?mode=rw"
    with closing(
        sqlite3.connect(address, uri=True, timeout=LOCK_SECONDS, isolation_level=None)
    ) as connection:
        # Waits for readers too: with a rollback journal one that hangs lets nobody commit.
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute(LOOK)
        connection.execute(TRIAL)
        connection.execute("ROLLBACK")


def _identity(path: Path | None) -> tuple[int, int] | None:
    try:
        found = path.stat() if path else None
    except OSError:
        return None
    return (found.st_dev, found.st_ino) if found else None
