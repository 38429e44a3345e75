"""The worker process: takes jobs from the table, computes outside any transaction, writes once.

A worker holds one device for as long as it lives; one more on the same machine stands by. A job
whose worker died is taken up again: at once by the next holder of the device, by any other worker
when the lease has run out.
"""

import errno
import logging
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import torch
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from db import jobs
from db.errors import StorageError
from db.tables import Job
from db.types import JobKind
from review.burnt_in import pictures
from review.errors import EXPECTED, ReviewError, StaleCaseError, incident
from review.exporting import dataset, kept
from review.exporting.dataset import ExportFilter
from review.maps import check_job, explain_job
from review.maps.explain_job import Write
from review.processes import deaths
from review.processes.device_lock import DeviceLock
from review.processes.pulse import Pulse
from review.state.status import refresh_abandoned, refresh_status
from review.triage.outdated import refresh_outdated
from review.workspace import Workspace
from xai_core.errors import Cancelled
from xai_core.model.loading import ModelCache
from xai_core.runtime.device import pick_device

LEASE_SECONDS = 120.0
REPORT_SECONDS = 0.25
SHORTEST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 0.3
STAND_BY_SECONDS = 1.0
TROUBLE_SECONDS = 10.0
TROUBLE = (StorageError, OperationalError)
DISK_TROUBLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})

PREPARED = {JobKind.EXPLAIN: explain_job.prepare, JobKind.CHECK: check_job.prepare}

Stopped = Callable[[], bool]
AfterJob = Callable[[Workspace], None]
_log = logging.getLogger(__name__)


def _nothing(_: Workspace) -> None:
    """Do nothing after a job."""


class _End(Protocol):
    def __call__(self, session: Session, job_id: int, *, worker: str) -> bool: ...


def run(
    ws: Workspace, device: str = "auto", *, stopped: Stopped, after_job: AfterJob = _nothing
) -> None:
    """Work until asked to stop; then the job at hand goes back to the queue.

    Args:
        ws: The installation.
        device: "auto" (a GPU that is free, else the CPU), "cpu", "cuda:0", …
        stopped: Asked between jobs and between chunks of work.
        after_job: Called when work begins and after each job.

    Raises:
        InputError: If the device does not exist.
    """
    with holding_device(ws, device, stopped=stopped, after_job=after_job) as worker:
        pause = SHORTEST_PAUSE_SECONDS
        while worker is not None and not stopped():
            if worker.do_next():
                pause = SHORTEST_PAUSE_SECONDS
            else:
                time.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)


def run_once(
    ws: Workspace, device: str = "auto", *, stopped: Stopped, after_job: AfterJob = _nothing
) -> None:
    """Do as `run`, but end when no job waits."""
    with holding_device(ws, device, stopped=stopped, after_job=after_job) as worker:
        while worker is not None and not stopped() and worker.do_next():
            pass


@dataclass
class Worker:
    """Does one job after another on one device.

    `owed` is a job that could not be ended because nothing could be written, `served` the account
    whose job was the last.
    """

    ws: Workspace
    name: str
    device: str
    stopped: Stopped
    after_job: AfterJob
    pulse: Pulse
    owed: Job | None = None
    served: int | None = None
    waits_until: float = 0.0
    models: ModelCache = field(default_factory=ModelCache)

    def do_next(self) -> bool:
        """Do the next job, or return False if none waits, or nothing can be written now."""
        if time.monotonic() < self.waits_until:
            return False
        try:
            job = self._claim()
        except TROUBLE as exc:
            self._wait(f"no job can be taken up: {exc}")
            return False
        if job is None:
            return False
        with self.pulse.at_work(job.id):
            written = self._do(job)
        if written:
            self.after_job(self.ws)
        return written

    def settle(self) -> None:
        """Give back the job that is owed, if anything can be written."""
        try:
            self._give_back_owed()
        except TROUBLE:
            _log.warning("job %d could not be given back", self.owed.id if self.owed else 0)

    def _give_back_owed(self) -> None:
        if self.owed is not None:
            self._end(self.owed, jobs.give_back)
            self.owed = None

    def _wait(self, why: str) -> None:
        _log.warning("%s; trying again in %.0f s", why, TROUBLE_SECONDS)
        self.waits_until = time.monotonic() + TROUBLE_SECONDS

    def _claim(self) -> Job | None:
        self._give_back_owed()
        with self.ws.begin() as session:
            job = jobs.claim(
                session, worker=self.name, lease_seconds=LEASE_SECONDS, after=self.served
            )
            refresh_abandoned(session)
            if job is not None:
                self.served = job.created_by
                _refresh_case(session, job)
        return job

    def _do(self, job: Job) -> bool:
        """Do a job; return False if what came of it could not be written: then it waits again."""
        report = Report(self.ws, job.id, self.name, self.stopped, moved=self.pulse.moved)
        try:
            self._do_and_end(job, report)
        except Exception as exc:
            if not is_trouble(exc):
                raise
            self.owed = job
            self._wait(f"job {job.id} goes back to the queue: {exc}")
            return False
        return True

    def _do_and_end(self, job: Job, report: "Report") -> None:
        try:
            self._end(job, jobs.finish, self._compute(job, report))
        except Cancelled:
            self._end(job, jobs.cancelled if report.was_refused else jobs.give_back)
        except StaleCaseError:  # the picture was masked or held back: what it gave is dropped
            self._end(job, jobs.cancelled)
        except Exception as exc:
            if is_trouble(exc):
                raise
            self._end(job, partial(jobs.fail, error=_words(job, exc)))

    def _compute(self, job: Job, report: "Report") -> Write | None:
        """Do a job's work and return what writes its result, if that goes into the record."""
        if job.kind in PREPARED:
            return PREPARED[job.kind](
                self.ws,
                job,
                self.models,
                device=self.device,
                progress=report,
                cancelled=report.should_stop,
            )
        if job.kind is JobKind.EXPORT:
            _export(self.ws, job, report)
            return None
        raise ReviewError(f"this version does not know jobs of the kind {job.kind!r}")

    def _end(self, job: Job, end: _End, write: Write | None = None) -> None:
        """End a job and write its result in one transaction, or nothing if its lease is lost."""
        with self.ws.begin() as session:
            if not end(session, job.id, worker=self.name):
                _log.warning("job %d was taken over: its result is dropped", job.id)
                return
            if write is not None:
                write(session)
            _refresh_case(session, job)


class Report:
    """Tells the job table how far a job is, a few times a second, and hears whether to go on.

    Attributes:
        was_refused: Whether a cancel was asked for, or the job was taken over.
    """

    def __init__(
        self,
        ws: Workspace,
        job_id: int,
        worker: str,
        stopped: Stopped,
        *,
        moved: Callable[[], None],
    ) -> None:
        self.was_refused = False
        self._moved = moved
        self._ws, self._job_id, self._worker, self._stopped = ws, job_id, worker, stopped
        self._told_at = -REPORT_SECONDS

    def __call__(self, n_done: int, n_total: int, stage: str) -> None:
        """Report progress, unless that was done just now."""
        self._moved()
        if time.monotonic() - self._told_at < REPORT_SECONDS:
            return
        with self._ws.begin() as session:
            self.was_refused = not jobs.report(
                session,
                self._job_id,
                worker=self._worker,
                n_done=n_done,
                n_total=n_total,
                stage=stage,
                lease_seconds=LEASE_SECONDS,
            )
        self._told_at = time.monotonic()

    def should_stop(self) -> bool:
        """Return whether to drop the work: the job was cancelled, or the worker is stopped."""
        self._moved()
        return self.was_refused or self._stopped()


@contextmanager
def holding_device(
    ws: Workspace, device: str, *, stopped: Stopped, after_job: AfterJob
) -> Iterator[Worker | None]:
    """Yield a worker once a device is free; None if it was stopped before that.

    Raises:
        InputError: If the device does not exist.
    """
    name = f"{deaths.name_of(os.getpid())}{secrets.token_hex(6)}"
    devices = _candidates(device)
    with Pulse(ws, name, lease_seconds=LEASE_SECONDS).beating() as pulse:
        while (lock := DeviceLock.take(ws.settings.home / "locks", devices, name)) is None:
            if stopped():
                yield None
                return
            time.sleep(STAND_BY_SECONDS)
        try:
            if lock.former:
                deaths.record(ws, lock.former, "a cause that nobody saw")
            pictures.sweep(ws)
            refresh_outdated(ws)
            after_job(ws)
            _log.info("worker %s works on %s", name, lock.device)
            worker = Worker(ws, name, lock.device, stopped, after_job, pulse)
            yield worker
            worker.settle()
        finally:
            lock.release()


def _candidates(device: str) -> list[str]:
    if device != "auto":
        return [str(pick_device(device))]
    n_gpus = torch.cuda.device_count()
    return [f"cuda:{index}" for index in range(n_gpus)] or ["cpu"]


def _export(ws: Workspace, job: Job, report: Report) -> None:
    def progress(n_done: int, n_total: int) -> None:
        report(n_done, n_total, f"Writing {n_done} of {n_total} files")
        if report.should_stop():
            raise Cancelled(f"cancelled after {n_done} of {n_total} files")

    payload = dict(job.payload)
    made_by = payload.pop("made_by", None)  # a job of an earlier version does not say
    dataset.write(
        ws,
        ExportFilter.from_json(payload),
        kept.path_of(ws, job.id),
        made_by=made_by,
        created_by=job.created_by,
        progress=progress,
    )


def is_trouble(exc: BaseException | None) -> bool:
    """Say whether the reason is a full disk, a busy or absent database: no fault of the job's."""
    while exc is not None:
        if isinstance(exc, TROUBLE) or getattr(exc, "errno", None) in DISK_TROUBLE:
            return True
        exc = exc.__cause__ or exc.__context__
    return False


def _words(job: Job, exc: Exception) -> str:
    """Say what a job failed of; the log tells more of what nobody expected."""
    if isinstance(exc, EXPECTED):
        return str(exc)
    number = incident(_log, f"job {job.id}", exc)
    return f"unexpected {type(exc).__name__}; the worker's log names incident {number}"


def _refresh_case(session: Session, job: Job) -> None:
    if job.kind is JobKind.EXPLAIN and job.case_id is not None:
        refresh_status(session, job.case_id)
