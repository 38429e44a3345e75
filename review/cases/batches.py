"""Uploads on their way into the record: files wait on disk, and are stored one after another.

What a browser sends lies in `spool/` in the home until it is stored: the files as they are, in a
folder that nobody else reads, under names of ours. A batch is stored by a thread of its own, so
that no click interrupts it; an account's batches one after another, so that whoever sends much
holds up only themselves. What a killed process leaves in the spool is removed at the start.
"""

import logging
import os
import queue
import secrets
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from db.tables import Account
from db.types import Origin
from imaging.image import Window
from review import leftovers
from review.cases import intake
from review.cases.intake import FileOutcome
from review.errors import EXPECTED, ReviewError, SettingsError, incident
from review.policy import Action, Actor, insist, may
from review.workspace import Workspace

GB_VARIABLE, GB = "SECOND_LOOK_UPLOAD_GB", 4.0
LEFT_FREE = 1_000_000_000  # of the home's disk
SILENT_SECONDS = 120.0  # after so long without news of the browser, no more is waited for
MAX_RUNNING = 10  # batches of one account: each has a thread and a folder
MAX_KEPT = 5  # batches of one account whose outcomes are remembered
MAX_OUTCOMES = 200_000  # of one batch, those inside archives included

_log = logging.getLogger(__name__)


class NoRoomError(ReviewError):
    """More cannot be taken in now; once what waits is stored, it can."""


@dataclass(frozen=True)
class Arrived:
    """A file that has arrived whole: what it was called, where it lies, and its size."""

    name: str
    path: Path
    n_bytes: int


class TooManyFilesError(ReviewError):
    """More files came than the browser meant to send."""


class Batch:
    """What becomes of uploaded files, growing while they arrive and are stored.

    Attributes:
        n_files: How many files the browser means to send.
        n_taken: How many of them intake has begun with.
        outcomes: One for each file so far; an archive brings one for each file inside.
        stopped: Why the batch ended early and what to do, if it did.
        folder: Where its files lie until they are stored.
        coming: Its parcels that are on their way.
        born: Tells it from one of the same name, begun after the server was started anew.
    """

    def __init__(
        self, ws: Workspace, n_files: int, *, by: Actor, grey_range: Window | None = None
    ) -> None:
        self.n_files = n_files
        self.n_taken = 0
        self.outcomes: list[FileOutcome] = []
        self.stopped: str | None = None
        self.born = secrets.token_hex(8)
        self._by, self._grey_range = by, grey_range
        self._heard_at = time.monotonic()
        self._parcels: set[int] = set()
        self._waiting: queue.SimpleQueue[Arrived | None] = queue.SimpleQueue()
        self._n_bytes = self._n_files = 0
        self.coming: list[Coming] = []
        self._lock = threading.Lock()
        self._all_sent, self._cancelled = threading.Event(), threading.Event()
        self._finished = threading.Event()
        self._open = ExitStack()
        spool = spool_of(ws)
        spool.mkdir(mode=0o700, exist_ok=True)
        self.folder = self._open.enter_context(leftovers.working_folder(spool))
        threading.Thread(target=self._run, args=(ws,), name="intake", daemon=True).start()

    def add(self, parcel: int, files: Sequence[Arrived]) -> None:
        """Take over files that have arrived; a parcel that is sent again is the same one.

        Raises:
            TooManyFilesError: If that is more than was meant to come.
        """
        with self._lock:
            if parcel in self._parcels or self._all_sent.is_set() or self._cancelled.is_set():
                for file in files:
                    file.path.unlink(missing_ok=True)
                return
            if self._n_files + len(files) > self.n_files:
                raise TooManyFilesError(f"more than {self.n_files} files came")
            self._parcels.add(parcel)
            self._n_files += len(files)
            self._n_bytes += sum(file.n_bytes for file in files)
        for file in files:
            self._waiting.put(file)

    def heard(self) -> None:
        """Take note that the browser is still there."""
        self._heard_at = time.monotonic()

    def end(self) -> None:
        """Say that nothing more comes."""
        self._all_sent.set()
        self._waiting.put(None)

    def cancel(self) -> None:
        """Store nothing more of it; what is stored stays."""
        self._cancelled.set()
        self.end()

    @property
    def running(self) -> bool:
        """Whether files are still arriving or being stored."""
        return not self._finished.is_set()

    @property
    def arriving(self) -> bool:
        """Whether the browser is still sending."""
        return not self._all_sent.is_set()

    @property
    def n_bytes_waiting(self) -> int:
        """How much of it lies in the spool, or is on its way there."""
        coming = sum(each.n_bytes for each in list(self.coming))
        return coming + (self._n_bytes if self.running else 0)

    @property
    def case_ids(self) -> list[int]:
        """The cases that the batch has added or added to, in order."""
        stored = [outcome.case_id for outcome in list(self.outcomes) if outcome.kind == "stored"]
        return [case_id for case_id in dict.fromkeys(stored) if case_id is not None]

    def count(self, kind: str) -> int:
        """Return how many outcomes are of a kind."""
        return sum(outcome.kind == kind for outcome in list(self.outcomes))

    def wait(self, seconds: float) -> bool:
        """Wait until every file has its outcome; say whether that came in time."""
        return self._finished.wait(seconds)

    def _run(self, ws: Workspace) -> None:
        try:
            with _turn_of(self._by):
                files = self._arriving()
                stated, origin = self._grey_range, Origin.UPLOAD
                for outcome in intake.receive(
                    ws, files, by=self._by, origin=origin, grey_range=stated
                ):
                    self.outcomes.append(outcome)
                    if self._cancelled.is_set() or len(self.outcomes) >= MAX_OUTCOMES:
                        break
            if len(self.outcomes) >= MAX_OUTCOMES:
                self.stopped = f"It holds more than {MAX_OUTCOMES:,} files: upload the rest again."
            elif self._cancelled.is_set():
                self.stopped = "It was cancelled; what is stored stays."
            elif not self._all_sent.is_set():
                self.stopped = "The browser sends no more. Upload the rest again."
        except EXPECTED as exc:
            self.stopped = str(exc)
        except Exception as exc:
            number = incident(_log, "a batch of uploads", exc)
            self.stopped = (
                "Upload the rest again; if it happens again, tell an administrator the incident "
                f"number {number}."
            )
        finally:
            self._cancelled.set()
            self._all_sent.set()
            try:
                self._open.close()
            except OSError as exc:  # a parcel was still being written there
                _log.warning("an upload's folder stays until the next start: %s", exc)
            self._finished.set()

    def _arriving(self) -> Iterator[tuple[str, Path]]:
        """Yield the files as they arrive; each is removed once it is stored."""
        while not self._cancelled.is_set():
            silent = time.monotonic() - self._heard_at
            try:
                file = self._waiting.get(timeout=max(0.0, SILENT_SECONDS - silent))
            except queue.Empty:
                if silent < SILENT_SECONDS:
                    continue
                return
            if file is None:
                return
            self.n_taken += 1
            yield file.name, file.path
            file.path.unlink(missing_ok=True)
            with self._lock:
                self._n_bytes -= file.n_bytes


class Coming:
    """A parcel on its way: until it is done with, its bytes are counted as if they were there.

    It has `n_bytes`, as announced; `n_here` of that is written.
    """

    def __init__(self, batch: Batch, n_bytes: int) -> None:
        self.batch, self.n_bytes, self.n_here = batch, n_bytes, 0
        batch.coming.append(self)

    def __enter__(self) -> "Coming":
        return self

    def __exit__(self, *_: object) -> None:
        self.batch.coming.remove(self)


_kept: dict[tuple[Path, Actor], dict[str, Batch]] = {}
_ranges: dict[tuple[Path, Actor], Window | None] = {}
_turns: dict[Actor, threading.Lock] = {}
_lock = threading.Lock()


def begin(ws: Workspace, batch_id: str, n_files: int, n_bytes: int, *, by: Actor) -> Coming:
    """Let a parcel of an account's come; its batch is begun where it is new.

    Raises:
        AccessError: If the account may not bring images in.
        NoRoomError: If the account has its share on the way, or the disk is nearly full.
    """
    with ws.read() as session:
        insist(session, by, Action.UPLOAD)
        account = session.get_one(Account, by) if isinstance(by, int) else by
        is_bounded = not may(account, Action.UPLOAD_MUCH)
    with _lock:
        known = _kept.setdefault((ws.settings.home, by), {})
        _insist_on_room(ws, by, n_bytes, is_bounded=is_bounded)
        if batch_id not in known:
            if sum(batch.running for batch in known.values()) >= MAX_RUNNING:
                raise NoRoomError(f"{MAX_RUNNING} uploads of yours wait to be stored")
            stated = _ranges.get((ws.settings.home, by))
            known[batch_id] = Batch(ws, n_files, by=by, grey_range=stated)
            for old in [key for key, batch in known.items() if not batch.running][:-MAX_KEPT]:
                del known[old]
        return Coming(known[batch_id], n_bytes)


def state_range(ws: Workspace, grey_range: Window | None, *, by: Actor) -> None:
    """Keep which values an account's next batches have as black and white, if files do not say."""
    with _lock:
        _ranges[ws.settings.home, by] = grey_range


def find(ws: Workspace, batch_id: str, *, by: Actor) -> Batch | None:
    """Return an account's own batch, if this process still has it."""
    with _lock:
        return _kept.get((ws.settings.home, by), {}).get(batch_id)


def at_work(ws: Workspace, *, by: Actor) -> Batch | None:
    """Return an account's newest batch that is still being stored, as after a reload."""
    with _lock:
        running = [b for b in _kept.get((ws.settings.home, by), {}).values() if b.running]
    return running[-1] if running else None


def spool_of(ws: Workspace) -> Path:
    """Return where uploads wait."""
    return ws.settings.home / "spool"


def share() -> float:
    """Return how many bytes of one reader's uploads may wait at once.

    Raises:
        SettingsError: If the setting is no number of gigabytes.
    """
    value = os.environ.get(GB_VARIABLE, str(GB))
    try:
        gigabytes = float(value)
    except ValueError:
        gigabytes = 0.0
    if not 0 < gigabytes < 1e6:
        raise SettingsError(f"{GB_VARIABLE} is {value!r}: allowed are gigabytes above 0")
    return gigabytes * 1e9


def _insist_on_room(ws: Workspace, by: Actor, n_bytes: int, *, is_bounded: bool) -> None:
    waiting = sum(batch.n_bytes_waiting for batch in _kept[ws.settings.home, by].values())
    if is_bounded and waiting and waiting + n_bytes > share():
        raise NoRoomError(
            f"{waiting / 1e9:.1f} GB of your files wait to be stored; this site lets a reader have "
            f"{share() / 1e9:g} GB on the way at once"
        )
    here = [each.values() for (home, _), each in _kept.items() if home == ws.settings.home]
    coming = [each for known in here for batch in known for each in list(batch.coming)]
    promised = sum(each.n_bytes - each.n_here for each in coming)
    if shutil.disk_usage(ws.settings.home).free < promised + n_bytes + LEFT_FREE:
        raise NoRoomError("the disk is nearly full: tell an administrator")


def _turn_of(by: Actor) -> threading.Lock:
    """Return what an account's batches wait for, one after another."""
    with _lock:
        return _turns.setdefault(by, threading.Lock())
