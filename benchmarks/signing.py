"""How long signing takes when many readers sign at once: `python -m benchmarks.signing`.

Threads of one process, as the server's; each signs one verdict after another, flat out, which is
far more than readers do. The home is a new one on the disk of the temporary folder, or on `--home`.
"""

import argparse
import statistics
import tempfile
import threading
import time
import uuid
from pathlib import Path

from db.errors import StorageError
from db.types import Opinion
from review.settings import Settings
from review.verdicts import sign
from review.verdicts.sign import VerdictDraft
from review.workspace import Workspace
from tests import builders


def main() -> None:
    """Measure and print one line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.signing", description=__doc__)
    parser.add_argument("--readers", type=int, default=16)
    parser.add_argument("--verdicts", type=int, default=50, help="of each reader")
    parser.add_argument("--home", type=Path, help="a folder that is not there yet")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        home = options.home or Path(name) / "home"
        seconds, n_refused, took = measure(home, options.readers, options.verdicts)
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    print(
        f"{options.readers} readers, {len(seconds)} verdicts in {took:.1f} s, {n_refused} refused: "
        f"p50 {cuts[49]:.3f} s, p99 {cuts[98]:.3f} s, longest {max(seconds):.3f} s"
    )


def measure(home: Path, n_readers: int, n_verdicts: int) -> tuple[list[float], int, float]:
    """Return how long each verdict took, how many were refused, and how long it took in all."""
    ws = Workspace.open(Settings.load(home))
    with ws.begin() as session:
        prediction = builders.prediction(session, builders.case(session), builders.model(session))
        readers = [builders.account(session).id for _ in range(n_readers)]
    with ws.read() as session:
        token = sign.evidence_token(session, prediction.id, [])
    seconds: list[float] = []
    refused: list[int] = []
    start = threading.Barrier(n_readers + 1)

    def read(reader_id: int) -> None:
        start.wait()
        for _ in range(n_verdicts):
            draft = VerdictDraft(
                str(uuid.uuid4()), prediction.case_id, prediction.id, Opinion.ACCEPT, token
            )
            began = time.perf_counter()
            try:
                sign.record(ws, reader_id, draft)
            except StorageError:
                refused.append(reader_id)
                continue
            seconds.append(time.perf_counter() - began)

    threads = [threading.Thread(target=read, args=(reader,)) for reader in readers]
    for thread in threads:
        thread.start()
    start.wait()
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - began
    ws.sessions.kw["bind"].dispose()
    return seconds, len(refused), took


if __name__ == "__main__":
    main()
