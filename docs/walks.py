"""How far one reads to follow the code: files and functions of ours that three walks pass.

`python -m docs.walks` opens a new installation in a temporary folder, with the demo model
`phantom-a`, and walks

- from bytes to a case: `review.cases.intake.receive`, one PNG file;
- from a job to stored maps: `review.processes.worker.run_once`, the usual pair on the CPU;
- from a verdict to its row in the chain: `review.verdicts.sign.record`, on what
  `review.cases.reading.open_case` showed.

Set up, and not counted: `review.access.accounts.create_account` and
`review.models.registry.import_checked`. Everything is imported before, so that what runs while a
module loads is not counted either. Only this process is: files are decoded in a child.
"""

import importlib
import io
import pkgutil
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from inspect import CO_OPTIMIZED
from pathlib import Path
from types import FrameType

import numpy as np
from PIL import Image

from db.types import Opinion, Origin, Role
from imaging import decode
from review.access import accounts
from review.cases import intake, reading
from review.models import registry
from review.policy import OperatingSystemUser
from review.processes import worker
from review.settings import Settings
from review.verdicts import sign
from review.verdicts.draft import VerdictDraft
from review.workspace import Workspace

ROOT = Path(__file__).parents[1]
ROOMS = ("review", "imaging", "xai_core", "db")
SIDE_PX = 192


@dataclass
class Walk:
    """The functions that were called, each as its file and its qualified name.

    Comprehensions and lambdas count as the function they are written in.
    """

    passed: set[tuple[str, str]] = field(default_factory=set)

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        """Note a call of ours; see `sys.setprofile`."""
        code = frame.f_code
        if event == "call" and code.co_flags & CO_OPTIMIZED and ours(code.co_filename):
            self.passed.add((code.co_filename, code.co_qualname.partition(".<locals>.<")[0]))

    @property
    def files(self) -> set[str]:
        """The files that hold the functions."""
        return {file for file, _ in self.passed}


def ours(file: str) -> bool:
    """Return whether a file lies in a room that is counted."""
    path = Path(file)
    return path.is_relative_to(ROOT) and path.relative_to(ROOT).parts[0] in ROOMS


@contextmanager
def walking() -> Iterator[Walk]:
    """Yield what notes every call in this thread and in those started meanwhile."""
    walk = Walk()
    threading.setprofile(walk)
    sys.setprofile(walk)
    try:
        yield walk
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def walks(ws: Workspace) -> dict[str, Walk]:
    """Walk the three ways, one after the other, each on what the one before left."""
    operator = OperatingSystemUser.current()
    reader = accounts.create_account(ws, "reader", by=operator, role=Role.READER)
    registry.import_checked(ws, ROOT / "models" / "phantom-a.toml", by=operator)
    data = picture()
    with walking() as bytes_to_case:
        (outcome,) = intake.receive(ws, [("a.png", data)], by=reader.id, origin=Origin.UPLOAD)
    with walking() as job_to_maps:
        worker.run_once(ws, "cpu", stopped=lambda: False)
    case = reading.open_case(ws, outcome.case_id, reader_id=reader.id)
    shown = tuple(map_.explanation_id for map_ in case.maps if map_)
    draft = VerdictDraft(
        "request", case.case_id, case.predictions[0].id, Opinion.ACCEPT, case.evidence_token, shown
    )
    with walking() as verdict_to_row:
        sign.record(ws, reader.id, draft)
    return {
        "bytes to case": bytes_to_case,
        "job to stored maps": job_to_maps,
        "verdict to chained row": verdict_to_row,
    }


def picture() -> bytes:
    """Return a PNG file of a bright disc."""
    down, across = np.mgrid[:SIDE_PX, :SIDE_PX] - SIDE_PX / 2
    disc = np.where(np.hypot(down, across) < SIDE_PX / 4, 200, 40).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(disc).save(buffer, "PNG")
    return buffer.getvalue()


def import_everything() -> None:
    """Load every module that is counted, so that loading is not."""
    for room in ROOMS:
        package = importlib.import_module(room)
        for module in pkgutil.walk_packages(package.__path__, f"{room}."):
            if not module.name.startswith(("db.migrations.", "review.__main__")):
                importlib.import_module(module.name)


def main() -> None:
    """Print the table, as it stands in `docs/adr/0027-rooms-by-concept.md`."""
    import_everything()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "identity.key").write_bytes(bytes(32))
        ws = Workspace.open(Settings(home, f"sqlite:///{home / 'second-look.db'}", bytes(32)))
        try:
            found = walks(ws)
        finally:
            decode.close()
            ws.sessions.kw["bind"].dispose()
    rows = [(name, len(walk.files), len(walk.passed)) for name, walk in found.items()]
    width = max(len(name) for name in found)
    lines = [f"| {'':{width}} | files | functions |", "|---|---|---|"]
    lines += [f"| {name:{width}} | {files:5} | {functions:9} |" for name, files, functions in rows]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
