"""Where log lines go: readable at a terminal, as JSON where a site collects them.

JSON lines hold no patient data and no name of a file. Our own words name neither; those of
libraries may (a DICOM reader warns with the value it read), so they are withheld, and of an error
only its type and the places it came through are told.
"""

import fcntl
import json
import logging
import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from review.errors import SettingsError

FORMAT_VARIABLE = "SECOND_LOOK_LOG_FORMAT"
FILE_VARIABLE = "SECOND_LOOK_LOG_FILE"
SIZE_VARIABLE = "SECOND_LOOK_LOG_MB"
FORMATS = ("lines", "json")
LINES = "%(levelname)s %(name)s: %(message)s"
N_KEPT = 5
LONGEST = 2000
MOST_PLACES = 30
ROOT = Path(__file__).parents[2]
OURS = ("app", "db", "imaging", "review", "ui", "uvicorn", "xai_core")
WITHHELD = "withheld: a library's words may name a file or a person"

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)


def configure() -> None:
    """Send log lines where the environment says; may be called again.

    Raises:
        SettingsError: If a setting is not one of what is allowed.
    """
    form = os.environ.get(FORMAT_VARIABLE) or FORMATS[0]
    if form not in FORMATS:
        raise SettingsError(f"{FORMAT_VARIABLE} is {form!r}: allowed are {', '.join(FORMATS)}")
    terminal = logging.StreamHandler()
    terminal.setFormatter(JsonLines() if form == "json" else logging.Formatter(LINES))
    handlers: list[logging.Handler] = [terminal]
    if path := os.environ.get(FILE_VARIABLE):
        kept = SharedFile(Path(path).expanduser(), n_bytes=_megabytes() * 1_000_000)
        kept.setFormatter(JsonLines())
        handlers.append(kept)
    logging.basicConfig(level=logging.WARNING, handlers=handlers, force=True)
    if is_structured():
        logging.captureWarnings(capture=True)
        for name in OURS:
            logging.getLogger(name).setLevel(logging.INFO)
    if form == "json":
        for name in _with_handlers():  # which would write their own words to the terminal
            logger = logging.getLogger(name)
            logger.handlers, logger.propagate = [], True
    elif is_structured():
        terminal.setLevel(logging.WARNING)  # as without a file


def is_structured() -> bool:
    """Return whether anybody collects JSON lines."""
    return os.environ.get(FORMAT_VARIABLE) == "json" or bool(os.environ.get(FILE_VARIABLE))


class JsonLines(logging.Formatter):
    """Formats a record as one line of JSON; `extra={"fields": {...}}` adds to it."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without a line break at its end."""
        ours = record.name.partition(".")[0] in OURS
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage()[:LONGEST] if ours else WITHHELD,
            "process": record.process,
        }
        if (current := request_id.get()) is not None:
            line["request"] = current
        line |= getattr(record, "fields", {})
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = _told(record.exc_info[1])
        return json.dumps(line, ensure_ascii=True)


class SharedFile(logging.Handler):
    """Appends to a file that several processes share; a full one is put aside, the oldest removed.

    Together they take `N_KEPT` + 1 times `n_bytes` at most.
    """

    def __init__(self, path: Path, *, n_bytes: int) -> None:
        super().__init__()
        self._path, self._n_bytes = path, n_bytes
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with self._alone():
                pass
        except OSError as exc:
            raise SettingsError(f"{FILE_VARIABLE}: cannot write {path} ({exc.strerror})") from exc

    def emit(self, record: logging.LogRecord) -> None:
        """Append a record; where the disk is full it is lost, and the work goes on."""
        line = f"{self.format(record)}\n".encode()
        try:
            with self._alone():
                if self._path.exists() and self._path.stat().st_size + len(line) > self._n_bytes:
                    self._put_aside()
                self._append(line)
        except OSError:
            return

    @contextmanager
    def _alone(self) -> Iterator[None]:
        lock = self._path.with_name(f"{self._path.name}.lock")
        descriptor = os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _append(self, line: bytes) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        descriptor = os.open(self._path, flags, 0o600)
        try:
            os.write(descriptor, line)
        finally:
            os.close(descriptor)

    def _put_aside(self) -> None:
        for number in range(N_KEPT, 0, -1):
            older = self._numbered(number - 1)
            if older.exists():
                older.replace(self._numbered(number))

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}") if number else self._path


def _told(exc: BaseException) -> dict[str, Any]:
    """Return an error's type and places; its words may hold a value or a file's name."""
    frames = traceback.extract_tb(exc.__traceback__)[-MOST_PLACES:]
    places = [f"{_place(Path(frame.filename))}:{frame.lineno} {frame.name}" for frame in frames]
    told: dict[str, Any] = {"type": type(exc).__name__, "at": places}
    if exc.__cause__ is not None:
        told["cause"] = _told(exc.__cause__)
    return told


def _place(path: Path) -> str:
    """Return where code lies, without where the site keeps it."""
    if path.is_relative_to(ROOT):
        return str(path.relative_to(ROOT))
    return "/".join(path.parts[-3:])


def _with_handlers() -> list[str]:
    """Return the loggers of the web server that bring handlers of their own."""
    known = logging.root.manager.loggerDict
    return [name for name in known if name.partition(".")[0] in ("streamlit", "uvicorn")]


def _megabytes() -> int:
    value = os.environ.get(SIZE_VARIABLE) or "10"
    if not value.isdecimal() or not 1 <= int(value) <= 10_000:
        raise SettingsError(f"{SIZE_VARIABLE} is {value!r}: allowed are 1 to 10000")
    return int(value)
