"""A reader's process: signs one verdict after another, as a web process does, with a ledger."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy.exc import DBAPIError

from benchmarks.reliability.ledger import Ledger
from benchmarks.reliability.room import Shown, Site
from db.errors import SchemaError, StorageError
from review.errors import InUseError
from review.verdicts import sign
from review.verdicts.sign import VerdictDraft
from review.workspace import Workspace

TROUBLE = (StorageError, DBAPIError, OSError)
AGAIN_SECONDS = 0.2


def write(
    site: Site, path: Path, reader_id: int, n: int, shown: Sequence[Shown], pause: float = 0.0
) -> None:
    """Sign until `n` verdicts are acknowledged; go on where a process before this was killed.

    Args:
        site: The site.
        path: The ledger.
        reader_id: Who signs.
        n: How many verdicts in all.
        shown: What is read, over and over; each verdict supersedes the reader's one before.
        pause: Seconds after each.
    """
    ledger, ws = Ledger(path), _opened(site)
    by_prediction = {each.prediction_id: each for each in shown}
    while len(ledger.acknowledged) < n:
        if (sent := ledger.pending) is None:
            number = len(ledger.acknowledged)
            seen = shown[number % len(shown)]
            comment = f"reader {reader_id}, verdict {number}"
            sent = seen.verdict(reader_id, comment, _standing(ledger, seen))
            ledger.send(sent)
        _sign(ws, ledger, sent, by_prediction[sent["prediction_id"]])
        time.sleep(pause)


def _opened(site: Site) -> Workspace:
    """Open the site; one that is just being upgraded, or has no disk, a little later."""
    while True:
        try:
            return site.open()
        except (*TROUBLE, InUseError, SchemaError):
            time.sleep(AGAIN_SECONDS)


def _standing(ledger: Ledger, seen: Shown) -> int | None:
    earlier = [c for c, sent in ledger.sent.items() if sent["prediction_id"] == seen.prediction_id]
    return ledger.acknowledged[earlier[-1]] if earlier else None


def _sign(ws: Workspace, ledger: Ledger, sent: dict[str, Any], seen: Shown) -> None:
    """Sign what was sent, as often as it takes, under its one request id."""
    fields = {name: value for name, value in sent.items() if name != "reader_id"}
    fields |= {"evidence_token": seen.token, "explanation_ids": seen.explanation_ids}
    draft = VerdictDraft(**fields, reasons=("wrong_finding",))
    began = time.perf_counter()
    while True:
        try:
            signed = sign.record(ws, sent["reader_id"], draft)
        except TROUBLE as exc:
            ledger.trouble(str(exc).splitlines()[0])
            time.sleep(AGAIN_SECONDS)
            continue
        ledger.acknowledge(sent["comment"], signed.id, seconds=time.perf_counter() - began)
        return
