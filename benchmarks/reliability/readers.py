"""Readers' processes and real browsers sign; processes and server are killed at random moments."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

from benchmarks.reliability import herd
from benchmarks.reliability.browsers import browse
from benchmarks.reliability.ledger import Ledger, compare
from benchmarks.reliability.room import KINDS, Room, Row, Site, times
from benchmarks.reliability.writer import write
from tests.postgresql import free_port
from tests.server import running

PAUSE_SECONDS = 0.2  # of a writer, beside browsers that have the same cores


def rows(room: Room) -> Iterator[Row]:
    """Yield a row for each kind of database."""
    for kind in KINDS:
        yield drill(room, kind)


def drill(room: Room, kind: str) -> Row:
    """Let readers sign while everything around them is killed, and hold the record against them."""
    scale, site, n = room.scale, room.site(kind), room.scale.n_browsers
    n_readers = n + scale.n_writers
    readers, ledgers = site.fill(scale.n_cases, n_readers), room.ledgers(n_readers)
    n_each = -(-scale.n_verdicts // scale.n_writers)
    starts = [
        herd.calls(write, site, path, reader, n_each, site.shown, PAUSE_SECONDS if n else 0.0)
        for path, reader in zip(ledgers[n:], readers[n:], strict=True)
    ]
    port, ended = free_port(), Event()
    with ThreadPoolExecutor(2) as threads:
        try:
            serving = threads.submit(serve, room, site, port, ended) if n else None
            tokens = site.signed_in(readers[:n])
            reading = threads.submit(
                browse, port, tokens, readers[:n], ledgers[:n], scale.n_browser_verdicts
            )
            n_kills = herd.drive(
                starts, room.draw, scale.kill_seconds, beside=lambda: not reading.done()
            )
            reading.result()
        finally:
            ended.set()
        n_server_kills = serving.result() if serving else 0
    with site.opened() as ws:
        row = {"database": kind} | compare(ws, ledgers)
    kills = {"writers killed": n_kills, "server killed": n_server_kills}
    return row | kills | times([s for path in ledgers[n:] for s in Ledger(path).seconds])


def serve(room: Room, site: Site, port: int, ended: Event) -> int:
    """Keep the server running until the event, kill it now and then; return how often."""
    n_kills = 0
    while not ended.is_set():
        with running(site.home, port=port, database=site.address) as server:
            if not ended.wait(room.draw.uniform(*room.scale.server_seconds)):
                server.process.kill()
                server.process.wait()
                n_kills += 1
    return n_kills
