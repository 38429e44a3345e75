"""Workers of two machines: killed, stopped for longer than a lease, with models that do harm."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress

from benchmarks.reliability import queue
from benchmarks.reliability.queue import PLUGINS
from benchmarks.reliability.room import KINDS, Room, Row, Site
from review.processes.pulse import STILL_VARIABLE
from review.processes.worker import LEASE_SECONDS
from tests.postgresql import free_port
from tests.server import Server, running

KILL_SECONDS = (6.0, 12.0)  # from one kill to the next; a worker takes some to start
SHORT_LEASE_SECONDS = 5.0
HARMFUL = ("hanging", "crashing")
SUSPENDED_SECONDS = 120.0
TAKEN_SECONDS = 60.0  # in which another worker takes up the job of the stopped one


def rows(room: Room) -> Iterator[Row]:
    """Yield a row for each kind of database; the product's own lease on PostgreSQL."""
    for kind, lease in zip(KINDS, (SHORT_LEASE_SECONDS, room.scale.lease_seconds), strict=True):
        yield drill(room, kind, lease)


def drill(room: Room, kind: str, lease: float | None) -> Row:
    """Do the jobs of one sound model and two others while workers and server are killed."""
    site, port = room.site(kind), free_port()
    queue.fill(site, room.scale.n_jobs, "slow", *HARMFUL)
    begun, stopped_seconds = time.monotonic(), (lease or LEASE_SECONDS) * 1.1
    given = (str(lease),) if lease else ()
    log = room.folder / f"{site.home.name}-b.log"
    # Patient, so that it goes on with its job: its pulse stood still too.
    stopped = queue.other_machine(site, log, *given, **{STILL_VARIABLE: "600"})
    kills = {"worker": 0, "server": 0}
    try:
        n_amid = _stop(site, stopped)
        stop_began = time.monotonic()
        for _ in range(room.scale.n_server_lives):
            with running(
                site.home, n_workers=1, port=port, database=site.address, **PLUGINS
            ) as server:
                for whom in ("worker", "worker", "server"):
                    kills[whom] += _kill(whom, server, room.draw.uniform(*KILL_SECONDS))
        with running(site.home, n_workers=1, port=port, database=site.address, **PLUGINS):
            queue.wait(lambda: time.monotonic() - stop_began > stopped_seconds)
            queue.wait(lambda: not queue.holds_a_job(site), TAKEN_SECONDS)
            stopped_seconds = time.monotonic() - stop_began
            stopped.send_signal(signal.SIGCONT)
            queue.wait(lambda: queue.n_open(site) == 0)
            queue.wait(lambda: queue.n_suspended(site) == len(HARMFUL), SUSPENDED_SECONDS)
    finally:
        queue.end(stopped)
    told = {
        "database": kind,
        "lease, s": round(lease or LEASE_SECONDS),
        "stopped, s": round(stopped_seconds),
        "stops amid a transaction": n_amid,
    }
    dropped = log.read_text().count("was taken over")
    return (
        told
        | {"workers killed": kills["worker"], "server killed": kills["server"]}
        | queue.came_of(site)
        | {"results dropped": dropped, "took, s": round(time.monotonic() - begun)}
    )


def _stop(site: Site, worker: subprocess.Popen[bytes]) -> int:
    """Stop a worker that is at work on a job.

    Who is stopped amid a transaction on SQLite holds the file, and nobody writes until it goes on
    or is killed. That is counted, and the worker stopped again.

    Returns:
        How often it was stopped amid a transaction.
    """
    n_amid = 0
    while True:
        if not queue.wait(lambda: queue.holds_a_job(site)):
            raise RuntimeError("the other machine took up no job")
        worker.send_signal(signal.SIGSTOP)
        if site.can_write():
            return n_amid
        n_amid += 1
        worker.send_signal(signal.SIGCONT)


def _kill(whom: str, server: Server, after_seconds: float) -> int:
    time.sleep(after_seconds)
    pid = server.process.pid if whom == "server" else queue.worker_of(server.process.pid)
    if pid is None:
        return 0
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
        return 1
    return 0
