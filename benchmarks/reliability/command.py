"""The command: which drills, how much of each, and where their rows go."""

import argparse
import importlib
import os
import sys
import tempfile
import time
import traceback
from pathlib import Path

from benchmarks.reliability import report
from benchmarks.reliability.room import FULL, QUICK, Room, Row
from tests import postgresql

DRILLS = ("readers", "pace", "workers", "clocks", "disks", "files", "slow_requests", "keeping")
WORDS = """Tries to bring the record down, and says what became of it. Only root may fill disks."""


def main() -> None:
    """Run what was asked for and print its rows."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reliability", description=WORDS)
    parser.add_argument("--quick", action="store_true", help="a tenth of it, in minutes")
    parser.add_argument("--only", nargs="+", choices=DRILLS, default=DRILLS, metavar="NAME")
    parser.add_argument(
        "--record", action="store_true", help="write the tables of docs/reliability.md"
    )
    options = parser.parse_args()
    scale = QUICK if options.quick else FULL
    with (
        tempfile.TemporaryDirectory() as folder,
        postgresql.running(fsync="on", max_connections="200") as server,
    ):
        room = Room(scale, Path(folder), server)
        failed = [name for name in options.only if not _run(name, room, record=options.record)]
    if failed:
        sys.exit(f"not carried through: {', '.join(failed)}")


def _run(name: str, room: Room, *, record: bool) -> bool:
    """Run a drill; return whether it was carried through, which its rows do not say."""
    began = time.monotonic()
    try:
        rows = _told(name, room)
    except Exception:  # whatever stops one, the others can be run
        traceback.print_exc()
        return False
    print(f"({time.monotonic() - began:.0f} s)", flush=True)
    if record and rows:
        report.write(name, rows)
    return True


def _told(name: str, room: Room) -> list[Row]:
    print(f"\n{name}\n", flush=True)
    rows: list[Row] = []
    for row in importlib.import_module(f"benchmarks.reliability.{name}").rows(room):
        rows.append(row | {"load": round(os.getloadavg()[0], 1)})
        print(report.lines(rows[-1:], header=len(rows) == 1), flush=True)
    return rows
