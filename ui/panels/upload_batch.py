"""Files on their way into the record, in a thread of their own: no click interrupts them."""

import logging
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from db.types import Origin
from imaging.image import Window
from review.cases import intake
from review.cases.intake import FileOutcome
from review.errors import EXPECTED, incident
from review.workspace import Workspace

_log = logging.getLogger(__name__)


@dataclass
class Batch:
    """What became of some uploaded files, growing while they are stored.

    Attributes:
        n_files: How many files were uploaded.
        n_taken: How many of them intake has begun with.
        outcomes: One for each file so far; an archive brings one for each file inside.
        stopped: Why the batch ended early and what to do, if it did.
    """

    n_files: int
    n_taken: int = 0
    outcomes: list[FileOutcome] = field(default_factory=list)
    stopped: str | None = None
    _finished: threading.Event = field(default_factory=threading.Event)

    @classmethod
    def start(
        cls,
        ws: Workspace,
        files: Sequence[tuple[str, bytes]],
        *,
        by: int,
        grey_range: Window | None = None,
    ) -> "Batch":
        """Begin to store files in the background; the batch goes on if the page is left."""
        batch = cls(len(files))
        threading.Thread(target=batch._store, args=(ws, files, by, grey_range), daemon=True).start()
        return batch

    @property
    def running(self) -> bool:
        """Whether files are still being stored."""
        return not self._finished.is_set()

    @property
    def case_ids(self) -> list[int]:
        """The cases that the batch has added, in order."""
        return [
            outcome.case_id
            for outcome in list(self.outcomes)
            if outcome.kind == "stored" and outcome.case_id is not None
        ]

    def count(self, kind: str) -> int:
        """Return how many outcomes are of a kind."""
        return sum(outcome.kind == kind for outcome in list(self.outcomes))

    def wait(self, seconds: float) -> bool:
        """Wait until every file has its outcome; say whether that came in time."""
        return self._finished.wait(seconds)

    def _store(
        self,
        ws: Workspace,
        files: Iterable[tuple[str, bytes]],
        by: int,
        grey_range: Window | None,
    ) -> None:
        how: dict[str, Any] = {"by": by, "origin": Origin.UPLOAD, "grey_range": grey_range}
        try:
            for outcome in intake.receive(ws, self._counted(files), **how):
                self.outcomes.append(outcome)
        except EXPECTED as exc:
            self.stopped = str(exc)
        except Exception as exc:
            number = incident(_log, "a batch of uploads", exc)
            self.stopped = (
                "Upload the rest again; if it happens again, tell an administrator the incident "
                f"number {number}."
            )
        finally:
            self._finished.set()

    def _counted(self, files: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
        for file in files:
            self.n_taken += 1
            yield file
