"""What comes in, file by file: archives are unpacked in a process of their own, under limits."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, cast

from imaging import errors
from imaging.archive import ZIP_MAGIC, Entry, too_large
from imaging.errors import CorruptImageError, DecodeTimeoutError, ImagingError
from imaging.limits import Limits
from imaging.messages import Message, receive

MAX_DEATHS = 5  # of one archive's processes; what is behind the last is not read
ROOT = Path(__file__).parent.parent


def files_of(
    name: str, source: bytes | Path, *, limits: Limits | None = None
) -> Generator[Entry, None, None]:
    """Yield a file itself, or the files of a ZIP archive; a bad one never stops those behind it.

    Args:
        name: What the file is called; for the report only.
        source: Its bytes, or where they lie.
        limits: What it may take; `max_seconds` is for each file of an archive.
    """
    limits = limits or Limits()
    with ExitStack() as stack:
        try:
            file = stack.enter_context(_opened(source))
        except OSError as exc:
            yield Entry(name, error=CorruptImageError(f"cannot be read: {exc.strerror}"))
            return
        n_bytes = os.fstat(file.fileno()).st_size
        if os.pread(file.fileno(), len(ZIP_MAGIC[0]), 0) in ZIP_MAGIC:
            yield from _unpacked(name, file, limits)
        elif problem := too_large(n_bytes, limits):
            yield Entry(name, error=problem)
        else:
            yield Entry(name, os.pread(file.fileno(), n_bytes, 0))


@contextmanager
def _opened(source: bytes | Path) -> Iterator[IO[bytes]]:
    if isinstance(source, Path):
        with source.open("rb") as file:
            yield file
        return
    with os.fdopen(os.memfd_create("incoming"), "w+b") as file:
        file.write(source)
        file.flush()
        yield file


def _unpacked(name: str, file: IO[bytes], limits: Limits) -> Iterator[Entry]:
    first = n_used = 0
    for _ in range(MAX_DEATHS):
        begun: str | None = None
        with _Unpacker(name, file, limits, first, n_used) as process:
            while message := process.next():
                header, data = message
                if "ends" in header:
                    return
                if "begins" in header:
                    begun = header["begins"]
                    continue
                first, n_used, begun = first + 1, n_used + len(data), None
                yield _entry(header, data)
        if begun is None:  # not even its directory could be read
            yield Entry(name, error=process.error())
            return
        first += 1
        yield Entry(begun, error=process.error())
    words = f"{MAX_DEATHS} of its files made their reader fail: those behind them were not read"
    yield Entry(name, error=CorruptImageError(words))


def _entry(header: dict[str, Any], data: bytes) -> Entry:
    if "error" not in header:
        return Entry(str(header["name"]), data)
    kind = getattr(errors, str(header["error"]), ImagingError)
    return Entry(str(header["name"]), error=kind(str(header["message"])))


class _Unpacker:
    """A process that unpacks one archive, from one of its files on."""

    def __init__(self, name: str, file: IO[bytes], limits: Limits, first: int, n_used: int) -> None:
        given = {"name": name, "limits": asdict(limits), "first": first, "n_used": n_used}
        self._max_seconds = limits.max_seconds
        self._expired = threading.Event()
        self._process = subprocess.Popen(  # noqa: S603 - our own module, no shell
            [sys.executable, "-m", "imaging.unpacker", json.dumps(given)],
            stdin=file,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=ROOT,
            env={},
        )

    def __enter__(self) -> "_Unpacker":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def next(self) -> Message | None:
        """Return what it says next; None if it takes too long, or has ended without a word."""
        timer = threading.Timer(self._max_seconds, self._expire)
        timer.start()
        try:
            return receive(cast(IO[bytes], self._process.stdout))
        except (OSError, ValueError):
            return None
        finally:
            timer.cancel()

    def error(self) -> ImagingError:
        """Return why it ended before it was done."""
        if self._expired.is_set():
            return DecodeTimeoutError(
                f"unpacking took more than {self._max_seconds:g} s; it was stopped"
            )
        return CorruptImageError("the file made its reader fail; it is damaged or hostile")

    def _expire(self) -> None:
        self._expired.set()
        self._process.kill()
