"""Who has a home open: everybody at once, or one alone who changes it as a whole.

The kernel lets go of a lock when its process ends, however it ends. Versions before this one took
none: their workers are known by their devices' locks, the rest by the database file that they hold.
"""

import fcntl
import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from review.errors import InUseError

LOCKS = "locks"
NAME = "in-use.lock"
UNFINISHED = "restore-unfinished"
PROCESSES = Path("/proc")


class Share:
    """A home that is open; others may open it too, but nobody can have it alone.

    It is let go of with the object, or with the process.
    """

    def __init__(self, descriptor: int) -> None:
        self._end = weakref.finalize(self, os.close, descriptor)

    def end(self) -> None:
        """Let go of it now."""
        self._end()


def share(home: Path) -> Share | None:
    """Open a home beside others; None for one that may only be read and was never opened.

    Raises:
        InUseError: If somebody has it alone, or its restoring was broken off.
    """
    if (home / UNFINISHED).exists():
        raise InUseError(
            f"{home} is only half restored: run `python -m review restore` again, which goes on"
        )
    descriptor = _opened(home)
    if descriptor is None:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise InUseError(
            f"{home} is being upgraded, restored or copied: try again when that is done"
        ) from None
    return Share(descriptor)


@contextmanager
def alone(home: Path, *, database: Path | None = None) -> Iterator[None]:
    """Keep everybody else out of a home until the block ends.

    Args:
        home: The home.
        database: Its SQLite file, where it has one.

    Raises:
        InUseError: If a server, a worker or a command has it open.
    """
    descriptor = _opened(home)
    if descriptor is None:
        raise InUseError(f"{home} may not be written")
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InUseError(_words(home, "a server, a worker or a command")) from None
        if any(is_locked(path) for path in (home / LOCKS).glob("*.lock") if path.name != NAME):
            raise InUseError(_words(home, "a worker of an older version"))
        if database is not None and (pids := _holding(database)):
            raise InUseError(_words(home, f"process {', '.join(map(str, pids))}"))
        yield
    finally:
        os.close(descriptor)


def is_locked(path: Path) -> bool:
    """Return whether a process holds the lock on a file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _opened(home: Path) -> int | None:
    path, flags = home / LOCKS / NAME, os.O_CLOEXEC
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return os.open(path, os.O_RDWR | os.O_CREAT | flags, 0o600)
    with suppress(OSError):  # a lock needs no right to write
        return os.open(path, os.O_RDONLY | flags)
    return None


def _holding(database: Path) -> list[int]:
    """Return the other processes that have a file open, as far as this account may know."""
    if not database.exists():
        return []
    sought = database.stat()
    found = {int(file.parts[2]) for file in _open_files() if _is(file, sought)}
    return sorted(found - {os.getpid()})


def _open_files() -> Iterator[Path]:
    for process in PROCESSES.glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or is another account's
            yield from (process / "fd").iterdir()


def _is(file: Path, sought: os.stat_result) -> bool:
    with suppress(OSError):
        return os.path.samestat(file.stat(), sought)
    return False


def _words(home: Path, who: str) -> str:
    return f"{who} has {home} open: stop the server and its workers, then try again"
