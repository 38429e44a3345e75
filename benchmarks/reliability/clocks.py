"""Clocks that jump while verdicts are signed and jobs are done.

libfaketime does not do: under it `time.sleep` fails, which sleeps by the monotonic clock.

The jumping machine runs the server, its worker and the writers. The other machine keeps the true
time, on PostgreSQL, which has a clock of its own.
"""

import multiprocessing
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from benchmarks.reliability import herd, queue
from benchmarks.reliability.ledger import compare
from benchmarks.reliability.queue import PLUGINS
from benchmarks.reliability.room import KINDS, Room, Row
from benchmarks.reliability.writer import write
from tests.server import ROOT, running

JUMPS = ("+3600", "-3600", "+86400", "-86400", "+600", "-600", "+7200", "+0")  # s from the truth
JUMP_SECONDS = 4.0
N_WRITERS, N_VERDICTS, N_CASES = 4, 60, 10


def rows(room: Room) -> Iterator[Row]:
    """Yield a row for each kind of database."""
    for kind in KINDS:
        yield drill(room, kind)


def drill(room: Room, kind: str) -> Row:
    """Sign and work under a clock that jumps to and fro."""
    site, hands = room.site(kind), room.folder / f"clock-{room.n_sites}"
    hands.write_text("0")
    clock = {
        "DRILL_CLOCK": str(hands),
        "PYTHONPATH": os.pathsep.join((str(ROOT / "benchmarks/reliability/jumping"), str(ROOT))),
    }
    readers, ledgers = site.fill(N_CASES, N_WRITERS), room.ledgers(N_WRITERS)
    shown = site.shown
    queue.fill(site, room.scale.n_jobs // 2, "slow")
    with ExitStack() as stack:
        log = room.folder / f"{site.home.name}-b.log"
        if kind != "SQLite":
            stack.callback(queue.end, queue.other_machine(site, log))
        stack.enter_context(
            running(site.home, n_workers=1, database=site.address, **PLUGINS, **clock)
        )
        context = multiprocessing.get_context("spawn")
        writers = [
            context.Process(target=write, args=(site, path, reader, N_VERDICTS, shown, 0.3))
            for path, reader in zip(ledgers, readers, strict=True)
        ]
        with _environment(clock):
            for writer in writers:
                writer.start()
        for jump in JUMPS[: room.scale.n_jumps]:
            turned = hands.with_suffix(".new")
            turned.write_text(jump)
            turned.replace(hands)
            queue.wait(lambda: False, JUMP_SECONDS)
        for writer in writers:
            writer.join(herd.PATIENCE_SECONDS)
        queue.wait(lambda: queue.n_open(site) == 0)
    with site.opened() as ws:
        found = compare(ws, ledgers)
    jobs = queue.came_of(site)
    names = ("jobs of the sound model", "done", "begun at most")
    told = {"database": kind, "jumps": len(JUMPS[: room.scale.n_jumps]), "machines": 1}
    told["machines"] = 1 if kind == "SQLite" else 2
    return told | found | {name: jobs[name] for name in names}


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """Give variables to the processes that are started in the block."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
