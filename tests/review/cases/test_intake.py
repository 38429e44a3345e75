import io
import sqlite3
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import func, select

from db.artifacts import ArtifactStore
from db.errors import StorageError
from db.tables import AuditEvent, Case, Job
from db.types import AuditKind, Origin
from imaging.encode import from_png
from review.cases import intake
from review.cases.intake import FileOutcome
from review.healing import REPLACED
from review.workspace import Workspace
from tests import builders
from tests.builders import OPERATOR
from tests.pictures import png


def receive(ws: Workspace, *files: tuple[str, bytes]) -> list[FileOutcome]:
    return list(intake.receive(ws, files, by=OPERATOR, origin=Origin.UPLOAD))


def kinds(outcomes: list[FileOutcome]) -> list[str]:
    return [outcome.kind for outcome in outcomes]


def test_pixels_thumbnail_and_facts_are_stored(workspace: Workspace) -> None:
    (outcome,) = receive(workspace, ("a.png", png()))
    with workspace.read() as session:
        case = session.get_one(Case, outcome.case_id)
    pixels = from_png(workspace.artifacts.read(case.image_sha256))
    assert np.array_equal(pixels, from_png(png()))
    assert from_png(workspace.artifacts.read(case.thumbnail_sha256)).shape == (40, 48)
    assert (case.width_px, case.height_px, case.bits, case.origin) == (48, 40, 8, "upload")


def test_every_active_model_is_asked_to_explain(workspace: Workspace) -> None:
    with workspace.begin() as session:
        builders.model(session)
        builders.model(session)
        builders.model(session, active=False)
    (outcome,) = receive(workspace, ("a.png", png()))
    with workspace.read() as session:
        asked = session.scalars(select(Job.payload)).all()
    assert [(p["case_id"], p["model_id"], p["preset"]) for p in asked] == [
        (outcome.case_id, 1, "standard"),
        (outcome.case_id, 2, "standard"),
    ]


def test_the_same_bytes_are_stored_once(workspace: Workspace) -> None:
    first, second = receive(workspace, ("a.png", png()), ("b.png", png()))
    assert (second.kind, second.case_id) == ("duplicate", first.case_id)


@pytest.mark.parametrize("what", ["image_sha256", "thumbnail_sha256"])
def test_a_damaged_picture_heals_when_its_file_is_brought_in_again(
    workspace: Workspace, what: str
) -> None:
    (first,) = receive(workspace, ("a.png", png()))
    with workspace.read() as session:
        sha256 = getattr(session.get_one(Case, first.case_id), what)
    workspace.artifacts.path(sha256).write_bytes(b"damaged")
    (again,) = receive(workspace, ("a.png", png()))
    assert (again.kind, again.case_id, again.reason) == ("duplicate", first.case_id, REPLACED)
    assert workspace.artifacts.is_whole(sha256)
    with workspace.read() as session:
        of_kind = AuditEvent.kind == AuditKind.FILE_REPLACED
        (event,) = session.scalars(select(AuditEvent).where(of_kind))
    assert (event.subject_id, event.content["state"]["case_id"]) == (sha256, first.case_id)


def test_a_bad_file_never_stops_the_others(workspace: Workspace) -> None:
    outcomes = receive(
        workspace,
        ("a.png", png(1)),
        ("cut.png", png(2)[:200]),
        ("notes.txt", b"hello"),
        ("b.png", png(3)),
    )
    assert kinds(outcomes) == ["stored", "refused", "refused", "stored"]
    assert all(outcome.reason for outcome in outcomes if outcome.kind == "refused")


def test_the_members_of_an_archive_have_outcomes_of_their_own(workspace: Workspace) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("one.png", png(1))
        archive.writestr("two.png", png(2)[:100])
        archive.writestr("three.png", png(1))
    outcomes = receive(workspace, ("set.zip", buffer.getvalue()))
    assert kinds(outcomes) == ["stored", "refused", "duplicate"]
    assert outcomes[0].name == "set.zip/one.png"


def test_a_file_in_memory_has_one_of_the_few_places(workspace: Workspace, monkeypatch) -> None:
    places = threading.BoundedSemaphore(1)
    monkeypatch.setattr(intake, "_in_hand", places)
    taken = []

    def frames(data: bytes, **given):
        taken.append(not places.acquire(blocking=False))
        return real(data, **given)

    real = intake.frames
    monkeypatch.setattr(intake, "frames", frames)
    files = [("a.png", png(1)), ("b.png", png(2))]
    for _ in intake.receive(workspace, files, by=OPERATOR, origin=Origin.UPLOAD):
        with places:  # between two files it is free
            pass
    assert taken == [True, True]


def test_a_full_disk_refuses_the_file_and_the_rest_go_on(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = ArtifactStore.put
    calls = iter([True, False, False])

    def put_but_once(store: ArtifactStore, *args, **kwargs) -> str:
        if next(calls):
            raise StorageError("cannot store 1 bytes (No space left on device)")
        return put(store, *args, **kwargs)

    monkeypatch.setattr(ArtifactStore, "put", put_but_once)
    outcomes = receive(workspace, ("a.png", png(1)), ("b.png", png(2)))
    assert kinds(outcomes) == ["refused", "stored"]
    assert "No space left" in outcomes[0].reason
    with workspace.read() as session:
        assert session.scalar(select(func.count()).select_from(Case)) == 1


def test_readers_who_send_the_same_file_at_once_make_one_case(each_workspace: Workspace) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda n: receive(each_workspace, (f"{n}.png", png())), range(4)))
    outcomes = [outcome for (outcome,) in found]
    assert sorted(kinds(outcomes)) == ["duplicate"] * 3 + ["stored"]
    assert len({outcome.case_id for outcome in outcomes}) == 1


def test_a_file_name_is_told_back_and_stored_nowhere(workspace: Workspace) -> None:
    (outcome,) = receive(workspace, ("Doe^Jane_1970.png", png()))
    assert outcome.name == "Doe^Jane_1970.png"
    home = workspace.settings.home
    with sqlite3.connect(home / "second-look.db") as database:
        dump = "\n".join(database.iterdump())
    files = [str(path) for path in home.rglob("*")]
    assert "Doe" not in dump
    assert not any("Doe" in name for name in files)


@pytest.mark.real
def test_a_chest_radiograph_comes_in_without_its_identifiers(
    workspace: Workspace, shared_data: Path
) -> None:
    data = (shared_data / "cxr" / "rsna-chest.dcm").read_bytes()
    (outcome,) = receive(workspace, ("chest.dcm", data))
    with workspace.read() as session:
        case = session.get_one(Case, outcome.case_id)
    assert (case.source_format, case.modality, case.width_px) == ("DICOM", "CR", 1024)
    assert case.identifiers == {}
    assert case.acquisition["deidentification"]["replaced"]
    assert case.patient_key
