"""Backups while readers sign, and restores and upgrades that are killed."""

import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing

from benchmarks.reliability import herd
from benchmarks.reliability.ledger import Ledger, compare, verified
from benchmarks.reliability.room import KINDS, Room, Row, Site
from benchmarks.reliability.writer import write
from db.errors import SchemaError
from review.errors import InUseError
from tests.db import keep_schema
from tests.review.keeping import homes
from tests.server import ROOT

N_WRITERS, N_CASES, N_OPENERS = 4, 10, 2
FOR_EVER = 1_000_000
KILL_SECONDS = (0.3, 4.0)  # a command takes a second until it begins
MAX_TRIES = 60
SIGNED = "SELECT id, row_sha256 FROM verdicts"


def rows(room: Room) -> Iterator[Row]:
    """Yield a row for the backups of each kind of database, and one for upgrades."""
    for kind in KINDS:
        yield _backups(room, kind)
    yield _upgrades(room)


def _backups(room: Room, kind: str) -> Row:
    """Back up while readers sign, and restore the last backup, killed at first."""
    site, folder = room.site(kind), room.folder / f"backups-{room.n_sites}"
    readers, ledgers = site.fill(N_CASES, N_WRITERS), room.ledgers(N_WRITERS)
    writers = [
        herd.calls(write, site, path, reader, FOR_EVER, site.shown)()
        for path, reader in zip(ledgers, readers, strict=True)
    ]
    seconds: list[float] = []
    before: set[str] = set()
    try:
        for _ in range(room.scale.n_backups):
            before = {comment for path in ledgers for comment in Ledger(path).acknowledged}
            began = time.monotonic()
            _run(room, site, ["backup", str(folder)], n_kills=0)
            seconds.append(time.monotonic() - began)
    finally:
        for writer in writers:
            writer.kill()
            writer.join()
    restored = room.site(kind)
    n_kills = _run(room, restored, ["restore", str(folder)], n_kills=room.scale.n_kills)
    with site.opened() as ws:
        found = compare(ws, ledgers)
    with restored.opened() as ws:
        kept = compare(ws, ledgers, promised=before)
    return {
        "what": f"backup and restore, {kind}",
        "times": len(seconds),
        "longest, s": max(seconds),
        "killed": n_kills,
        "verdicts": len(before),
        "lost": found["lost"] + kept["lost"],
        "altered": found["altered"] + kept["altered"],
        "doubled": found["doubled"] + kept["doubled"],
        "verify": found["verify"] if found["verify"] != "clean" else kept["verify"],
    }


def _upgrades(room: Room) -> Row:
    """Upgrade homes of each older version, killed amid it, while others would open them."""
    older = sorted(keep_schema.DATA.glob("schema_*.sql"))[:-1]
    seconds: list[float] = []
    n_kills = n_signed = 0
    found = dict.fromkeys(("lost", "altered", "doubled"), 0)
    problem = "clean"
    for path in older[-room.scale.n_upgrades :]:
        site = room.site("SQLite")
        database = site.home / "second-look.db"
        with closing(sqlite3.connect(database)) as connection:
            connection.executescript(path.read_text())
            before = dict(connection.execute(SIGNED))
        (site.home / "identity.key").write_bytes(bytes(32))
        homes.write_artifacts(site.home)
        openers = [herd.calls(_open, site)() for _ in range(N_OPENERS)]
        began = time.monotonic()
        n_kills += _run(room, site, ["upgrade"], n_kills=room.scale.n_kills)
        seconds.append(time.monotonic() - began)
        for opener in openers:
            opener.join(herd.PATIENCE_SECONDS)
        with closing(sqlite3.connect(database)) as connection:
            after = dict(connection.execute(SIGNED))
        found["lost"] += len(before.keys() - after.keys())
        found["altered"] += sum(after.get(id_, row) != row for id_, row in before.items())
        found["doubled"] += len(after.keys() - before.keys())
        with site.opened() as ws:
            problem = verified(ws) if problem == "clean" else problem
        n_signed += len(before)
    told = {"what": "upgrade, SQLite", "times": len(seconds), "longest, s": max(seconds)}
    told |= {"killed": n_kills, "verdicts": n_signed}
    return told | found | {"verify": problem}


def _open(site: Site) -> None:
    """Try to open a home until it is upgraded."""
    while True:
        try:
            with site.opened():
                return
        except (InUseError, SchemaError):
            time.sleep(0.05)


def _run(room: Room, site: Site, command: list[str], *, n_kills: int) -> int:
    """Run a command until it is done, killed so often; return how often it was.

    Raises:
        RuntimeError: With what it says, if it is never done.
    """
    n_killed, said = 0, ""
    for _ in range(MAX_TRIES):
        process = subprocess.Popen(
            [sys.executable, "-m", "review", *command],
            cwd=ROOT,
            env=site.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            wait = room.draw.uniform(*KILL_SECONDS) if n_killed < n_kills else None
            said = process.communicate(timeout=wait)[0]
        except subprocess.TimeoutExpired:
            process.kill()
            said = process.communicate()[0]
            n_killed += 1
            continue
        if process.returncode == 0:
            return n_killed
        time.sleep(0.2)  # somebody had the home open just then
    raise RuntimeError(f"{' '.join(command)} was never done: {said}")
