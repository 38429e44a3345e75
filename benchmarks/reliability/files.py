"""Mutated files through the importer, while a reader signs and another brings in sound pictures."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing.connection import Connection

from benchmarks.reliability import herd
from benchmarks.reliability.mutations import mutated
from benchmarks.reliability.room import Room, Row, Site, times
from db.types import Origin
from review.cases import intake
from review.verdicts import sign
from review.verdicts.sign import VerdictDraft
from review.workspace import Workspace
from tests.builders import OPERATOR
from tests.pictures import png

N_IMPORTERS = 2  # uploads under way at once
HANG_SECONDS = 5.0
BESIDE_SECONDS = 0.5


def rows(room: Room) -> Iterator[Row]:
    """Yield one row."""
    site, n = room.site("SQLite"), room.scale.n_files
    (reader,) = site.fill(1, 1)
    mine, theirs = herd.CONTEXT.Pipe()
    process = herd.CONTEXT.Process(target=_serve, args=(site, reader, n, theirs))
    process.start()
    theirs.close()
    told: Row = {}
    with suppress(EOFError):
        told = mine.recv()
    process.join()
    ended = process.exitcode != 0
    yield {"mutated files": n, "deaths of the server": int(ended)} | told


def _serve(site: Site, reader_id: int, n: int, connection: Connection) -> None:
    """Stand for the server: bring the files in, and let others work meanwhile."""
    with site.opened() as ws:
        connection.send(_import(ws, site, reader_id, n))


def _import(ws: Workspace, site: Site, reader_id: int, n: int) -> Row:
    outcomes: Counter[str] = Counter()
    seconds: list[float] = []
    signing: list[float] = []
    importing: list[float] = []
    ended = threading.Event()

    def bring(part: int) -> None:
        for number in range(part, n, N_IMPORTERS):
            name, data = mutated(number)
            began = time.perf_counter()
            for outcome in intake.receive(ws, [(name, data)], by=OPERATOR, origin=Origin.UPLOAD):
                outcomes[outcome.kind if "decoder" not in outcome.reason else "decoder ended"] += 1
            seconds.append(time.perf_counter() - began)

    def sound() -> None:
        seed = 1_000_000
        while not ended.wait(BESIDE_SECONDS):
            seed += 1
            began = time.perf_counter()
            files = [("sound.png", png(seed))]
            (outcome,) = intake.receive(ws, files, by=OPERATOR, origin=Origin.UPLOAD)
            importing.append(time.perf_counter() - began)
            if outcome.kind != "stored":
                raise RuntimeError(f"a sound picture was {outcome.kind}: {outcome.reason}")

    def read() -> None:
        standing, seen = None, site.shown[0]
        while not ended.wait(BESIDE_SECONDS):
            fields = seen.verdict(reader_id, f"verdict {len(signing)}", standing)
            del fields["reader_id"]
            fields |= {"evidence_token": seen.token, "explanation_ids": seen.explanation_ids}
            draft = VerdictDraft(**fields, reasons=("wrong_finding",))
            began = time.perf_counter()
            standing = sign.record(ws, reader_id, draft).id
            signing.append(time.perf_counter() - began)

    beside = [threading.Thread(target=each) for each in (sound, read)]
    bringing = [threading.Thread(target=bring, args=(part,)) for part in range(N_IMPORTERS)]
    for thread in (*beside, *bringing):
        thread.start()
    for thread in bringing:
        thread.join()
    ended.set()
    for thread in beside:
        thread.join()
    return {
        "stored": outcomes["stored"] + outcomes["duplicate"],
        "refused": outcomes["refused"],
        "decoders ended": outcomes["decoder ended"],
        f"over {HANG_SECONDS:.0f} s": sum(each > HANG_SECONDS for each in seconds),
        "longest, s": max(seconds),
        "a sound picture beside, p99, s": times(importing)["p99, s"],
        "a verdict beside, p99, s": times(signing)["p99, s"],
    }
