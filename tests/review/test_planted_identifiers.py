"""Identifiers planted all over files that come in, looked for in all that is kept and shown.

A file's name goes back to whoever sent it, and only there.
"""

import base64
import json
import logging
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from sqlalchemy import select

from db.tables import Case
from db.types import Origin
from imaging.encode import from_png
from review.cases import reading, worklist
from review.cases.intake import receive
from review.cases.worklist import WorklistQuery
from review.exporting import dataset
from review.exporting.dataset import ExportFilter
from review.workspace import Workspace
from tests import builders, planted
from tests.builders import OPERATOR
from ui.viewer.payload import case_json

N_STORED = 7
N_REFUSED = 2
PNG_CHUNKS = {b"IHDR", b"IDAT", b"IEND"}


@dataclass(frozen=True)
class Left:
    """What is left once the files are in: everything that is kept, by where it lies."""

    planted: dict[str, str]
    outcomes: tuple[str, ...]
    traces: dict[str, bytes]


@pytest.fixture
def left(workspace: Workspace, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd) -> Left:
    identifiers, files = planted.everything()
    caplog.clear()  # libraries log what the test itself writes
    caplog.set_level(logging.DEBUG)
    outcomes = list(receive(workspace, files, by=OPERATOR, origin=Origin.UPLOAD))
    archive = tmp_path / "export.zip"
    traces = {"screens": _screens(workspace)}
    dataset.export(workspace, ExportFilter(), archive, by=OPERATOR)
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(workspace.settings.home / "export")
    traces |= {str(p): _content(p) for p in workspace.settings.home.rglob("*") if p.is_file()}
    traces |= {f"pixels of {p}": _pixels(p) for p in workspace.settings.artifacts_path.rglob("??*")}
    traces["names"] = "\n".join(map(str, workspace.settings.home.rglob("*"))).encode()
    traces["log"] = caplog.text.encode()
    traces["output"] = "".join(capfd.readouterr()).encode()
    reasons = "\n".join(outcome.reason for outcome in outcomes)
    return Left(
        identifiers,
        tuple(outcome.kind for outcome in outcomes),
        traces | {"reasons": reasons.encode()},
    )


def test_no_planted_identifier_is_left_anywhere(left):
    assert len(left.planted) == len(set(left.planted.values())) >= 170
    assert sorted(left.outcomes) == ["refused"] * N_REFUSED + ["stored"] * N_STORED
    folded = {where: content.lower() for where, content in left.traces.items()}
    found = [
        f"{place} ({text}) in {where}"
        for place, text in left.planted.items()
        for where, content in folded.items()
        if any(form in content for form in _forms(text))
    ]
    assert found == []


def test_kept_pictures_hold_pixels_and_nothing_else(left):
    pictures = [data for data in left.traces.values() if data.startswith(b"\x89PNG")]
    assert len(pictures) >= N_STORED  # small ones are their own thumbnails
    assert {kind for data in pictures for kind in _chunks(data)} <= PNG_CHUNKS


def test_each_planted_identifier_was_in_a_file_that_came_in():
    identifiers, files = planted.everything()
    came = "\n".join(name for name, _ in files).encode() + b"\n".join(data for _, data in files)
    missing = [place for place, text in identifiers.items() if text.encode() not in came]
    # Compressed, or a byte of each sample.
    assert missing == ["bits above the stored ones", "PNG ICC profile", "zTXt"]


@pytest.mark.parametrize("form", [0, 1, 2, 3, 4, 5])
def test_the_search_knows_an_identifier_in_each_of_its_forms(form):
    text = "ZWQX001"
    written = [
        text.encode(),
        text.encode("utf-16-le"),
        text.encode("utf-16-be"),
        *(base64.b64encode(b"x" * shift + f"{text} and more".encode()) for shift in range(3)),
    ][form]
    assert any(known in written.lower() for known in _forms(text))


def _forms(text: str) -> Iterable[bytes]:
    """Yield the ways in which a text may be written, in lower case."""
    for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
        yield text.lower().encode(encoding)
    for shift in range(3):
        inner = base64.b64encode(b"\0" * shift + text.encode())
        yield inner[(0, 2, 3)[shift] : len(inner) - 4].lower()


def _screens(ws: Workspace) -> bytes:
    """Return the worklist and every case as a reader is sent them, each with a prediction."""
    with ws.begin() as session:
        model = builders.model(session, weights_sha256=builders.artifact(session, ws.artifacts))
        for case in session.scalars(select(Case)).all():
            builders.prediction(session, case, model)
    rows = worklist.search(ws, WorklistQuery(), by=OPERATOR).rows
    cases = [case_json(reading.open_case(ws, r.case_id, reader_id=OPERATOR)) for r in rows]
    return json.dumps([*map(asdict, rows), *cases], default=str).encode()


def _pixels(path: Path) -> bytes:
    """Return a stored picture's samples, and their upper bytes, as they lie side by side."""
    if not path.is_file() or not (data := path.read_bytes()).startswith(b"\x89PNG"):
        return b""
    values = from_png(data).astype(np.uint16)
    return b"\n".join((values >> shift).astype(np.uint8).tobytes() for shift in (0, 8))


def _content(path: Path) -> bytes:
    data = path.read_bytes()
    if path.suffix == ".parquet":
        data += json.dumps(pq.read_table(path).to_pylist(), default=str).encode()
    return data


def _chunks(png: bytes) -> Iterator[bytes]:
    at = 8
    while at < len(png):
        length = int.from_bytes(png[at : at + 4], "big")
        yield png[at + 4 : at + 8]
        at += 12 + length
