"""Backups while readers sign, restores and upgrades that are killed, and what is in the homes then."""

import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from benchmarks.reliability import herd
from benchmarks.reliability.ledger import Ledger, compare
from benchmarks.reliability.room import KINDS, Room, Row, Site
from benchmarks.reliability.writer import write
from db.migrate import NEWEST
from review.settings import DATABASE_VARIABLE
from review.verdicts.verify import verify
from tests.builders import OPERATOR
from tests.db import keep_schema
from tests.review.keeping import homes
from tests.server import ROOT

N_WRITERS, N_CASES, N_ROWS = 4, 10, 20_000
N_OPENERS = 4
KILL_SECONDS = (0.5, 3.0)


def rows(room: Room) -> Iterator[Row]:
    """Yield a row for the backups of each kind of database, and one for upgrades."""
    for kind in KINDS:
        yield _backups(room, kind)
    yield _upgrades(room)


def _backups(room: Room, kind: str) -> Row:
    """Back up under load, and restore the last, once killed amid it."""
    site, folder = room.site(kind), room.folder / f"backups-{room.n_sites}"
    readers, ledgers = site.fill(N_CASES, N_WRITERS), room.ledgers(N_WRITERS)
    starts = [
        herd.calls(write, site, path, reader, 1_000_000, site.shown)
        for path, reader in zip(ledgers, readers, strict=True)
    ]
    writers = [start() for start in starts]
    seconds, before = [], {}
    try:
        for _ in range(room.scale.n_backups):
            before = {c: v for p in ledgers for c, v in Ledger(p).acknowledged.items()}
            began = time.monotonic()
            _review(site, "backup", str(folder), check=True)
            seconds.append(time.monotonic() - began)
    finally:
        for writer in writers:
            writer.kill()
            writer.join()
    restored = room.site("SQLite")
    n_kills = _until_done(room, restored, "restore", str(folder))
    with site.opened() as ws:
        found = compare(ws, ledgers)
    with restored.opened() as ws:
        kept = compare(ws, ledgers)
        absent = before.keys() - homes.comments(ws)
    told = {"drill": f"backup, {kind}", "times": len(seconds), "longest, s": max(seconds)}
    told |= {"killed": n_kills, "acknowledged": found["acknowledged"]}
    return told | {
        "lost": found["lost"] + len(absent),
        "altered": found["altered"] + kept["altered"],
        "doubled": found["doubled"] + kept["doubled"],
        "verify": found["verify"] if found["verify"] != "clean" else kept["verify"],
    }


def _upgrades(room: Room) -> Row:
    """Upgrade a home of the oldest version, killed again and again, while others would open it."""
    raise NotImplementedError
