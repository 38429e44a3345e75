"""What one writer sent, and what was acknowledged: on disk before the writer goes on."""

import json
import os
from collections import Counter
from collections.abc import Iterable, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import select

from db.tables import Verdict
from review.verdicts.verify import verify
from review.workspace import Workspace
from tests.builders import OPERATOR


@dataclass
class Ledger:
    """A file of its own for each writer, one JSON object a line.

    Attributes:
        sent: What was sent, by its comment, which no two acts share.
        acknowledged: The verdict's id, where it was told, by the comment.
        seconds: How long each save took that nothing broke off.
        n_troubles: How often the writer was told that nothing was recorded.
    """

    path: Path
    sent: dict[str, dict[str, Any]] = field(default_factory=dict)
    acknowledged: dict[str, int | None] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    n_troubles: int = 0

    def __post_init__(self) -> None:
        lines = self.path.read_bytes().splitlines() if self.path.exists() else []
        for line in lines:
            try:
                self._take(json.loads(line))
            except ValueError:  # its writer was killed over it, and did not go on
                continue

    @property
    def pending(self) -> dict[str, Any] | None:
        """What was sent last, if nobody has acknowledged it."""
        return next((self.sent[c] for c in self.sent if c not in self.acknowledged), None)

    def send(self, fields: dict[str, Any]) -> None:
        """Note what is about to be sent."""
        self._write({"sent": fields})

    def acknowledge(
        self, comment: str, verdict_id: int | None = None, *, seconds: float | None = None
    ) -> None:
        """Note that the writer was told that it is signed."""
        self._write({"acknowledged": comment, "id": verdict_id, "seconds": seconds})

    def trouble(self, words: str) -> None:
        """Note that the writer was told that nothing was recorded."""
        self._write({"trouble": words})

    def _write(self, line: dict[str, Any]) -> None:
        with self.path.open("ab") as file:
            file.write(b"\n" + json.dumps(line).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self._take(line)

    def _take(self, line: dict[str, Any]) -> None:
        if "sent" in line:
            self.sent[line["sent"]["comment"]] = line["sent"]
        elif "acknowledged" in line:
            self.acknowledged[line["acknowledged"]] = line["id"]
            self.seconds += [line["seconds"]] if line["seconds"] is not None else []
        else:
            self.n_troubles += 1


def compare(
    ws: Workspace, paths: Iterable[Path], *, promised: Set[str] | None = None
) -> dict[str, Any]:
    """Hold the record against the ledgers, and verify it; return columns of a row.

    Args:
        ws: The installation.
        paths: The ledgers.
        promised: Comments of the verdicts that have to be there; by default of all acknowledged.
    """
    ledgers = [Ledger(path) for path in paths]
    sent = {comment: fields for ledger in ledgers for comment, fields in ledger.sent.items()}
    acknowledged = {c: found for ledger in ledgers for c, found in ledger.acknowledged.items()}
    promised = acknowledged.keys() if promised is None else promised
    with ws.read() as session:
        rows = list(session.scalars(select(Verdict).where(Verdict.comment != "")))
    altered = [
        row
        for row in rows
        if row.comment not in sent
        or any(getattr(row, name) != value for name, value in sent[row.comment].items())
        or acknowledged.get(row.comment) not in (None, row.id)
    ]
    return {
        "acknowledged": len(acknowledged),
        "lost": len(promised - {row.comment for row in rows}),
        "altered": len(altered),
        "doubled": sum(n - 1 for n in Counter(row.comment for row in rows).values()),
        "verify": verified(ws),
    }


def verified(ws: Workspace) -> str:
    """Return "clean", or the first thing that `verify` finds wrong."""
    problems = verify(ws, by=OPERATOR).problems
    return problems[0] if problems else "clean"
