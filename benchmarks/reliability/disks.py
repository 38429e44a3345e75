"""A disk that is full, again and again, while verdicts are signed on it."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmarks.reliability import herd, queue
from benchmarks.reliability.ledger import Ledger, compare
from benchmarks.reliability.room import KINDS, Room, Row, Site
from benchmarks.reliability.writer import write
from tests import postgresql

SIZE_MB = {"SQLite": 24, "PostgreSQL": 160}
N_WRITERS, N_VERDICTS, N_CASES = 4, 60, 10
FULL_SECONDS = 2.0


def rows(room: Room) -> Iterator[Row]:
    """Yield a row for each kind of database; none without the right to mount."""
    if os.geteuid() != 0:
        return
    room.folder.chmod(0o711)  # PostgreSQL's own account has to pass
    for kind in KINDS:
        with _disk(room.folder / f"disk-{kind}", SIZE_MB[kind]) as disk:
            if kind == "SQLite":
                yield drill(room, room.site(kind, disk / "home"), disk)
                continue
            with postgresql.running(
                disk, fsync="on", min_wal_size="32MB", max_wal_size="48MB"
            ) as own:
                home = room.site("SQLite").home  # on the roomy disk: here the database's is full
                yield drill(room, Site(kind, home, own.create("drill")), disk, own)


def drill(room: Room, site: Site, disk: Path, own: postgresql.Server | None = None) -> Row:
    """Fill the disk while readers sign, make room, and hold the record against them."""
    readers, ledgers = site.fill(N_CASES, N_WRITERS), room.ledgers(N_WRITERS)
    starts = [
        herd.calls(write, site, path, reader, N_VERDICTS, site.shown)
        for path, reader in zip(ledgers, readers, strict=True)
    ]
    with ThreadPoolExecutor(1) as threads:
        filling = threads.submit(_fill, disk, ledgers, room.scale.n_fillings, own)
        herd.drive(starts, room.draw, beside=lambda: not filling.done())
        n_full, n_ended = filling.result()
    with site.opened() as ws:
        found = compare(ws, ledgers)
    n_troubles = sum(Ledger(path).n_troubles for path in ledgers)
    told = {"database": site.kind, "times full": n_full, "saves refused": n_troubles}
    return told | {"database ended": n_ended} | found


def _fill(
    disk: Path, ledgers: Sequence[Path], n: int, own: postgresql.Server | None
) -> tuple[int, int]:
    """Fill the disk and make room again; return how often that told, and ended the database."""
    n_full = n_ended = 0
    for _ in range(n):
        before = _n_troubles(ledgers)
        ballast = disk / "ballast"
        with suppress(OSError), ballast.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        n_full += queue.wait(lambda before=before: _n_troubles(ledgers) > before, 30)
        queue.wait(lambda: False, FULL_SECONDS)
        ballast.unlink()
        if own and own.process and own.process.poll() is not None:
            n_ended += 1
            own.start()
    return n_full, n_ended


def _n_troubles(ledgers: Sequence[Path]) -> int:
    return sum(Ledger(path).n_troubles for path in ledgers)


@contextmanager
def _disk(folder: Path, size_mb: int) -> Iterator[Path]:
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size_mb}m", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
