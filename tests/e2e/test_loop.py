"""The whole loop in the browser: an image comes in, is explained, judged, triaged, exported."""

import io
import json
import re
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from db.tables import Case, TriageFlag, Verdict
from db.types import CaseStatus, Opinion, Role, TriageReason
from imaging.encode import to_png
from models.phantoms.phantom import demo_set
from review.demo.seed import CARDS
from review.exporting import requests
from review.models import registry
from review.verdicts.verify import verify
from tests.builders import OPERATOR
from tests.e2e.conftest import OPEN_MS
from tests.server import Server
from tests.squeezenet import write_squeezenet

pytestmark = pytest.mark.e2e

EXPLAIN_MS = 240_000


def upload(page: Page, files: list[tuple[str, bytes]]) -> None:
    """Upload files and wait until each is stored."""
    page.goto("/upload")
    payload = [
        {"name": name, "mimeType": "application/octet-stream", "buffer": data}
        for name, data in files
    ]
    page.locator("input[type=file]").first.set_input_files(payload)
    expect(page.get_by_text(f"{len(files)} stored")).to_be_visible(timeout=60_000)


def wait_until_explained(page: Page, server: Server, n_cases: int) -> None:
    """Wait on the worklist, which refreshes itself, until so many cases wait for a reader."""
    page.goto("/")
    for _ in range(EXPLAIN_MS // 1_000):
        page.wait_for_timeout(1_000)
        with server.ws.read() as session:
            found = session.scalars(select(Case.status)).all()
        if found.count(CaseStatus.READY) == n_cases:
            break
    expect(page.get_by_text("Being explained")).to_have_count(0, timeout=OPEN_MS)


def drawn(page: Page, case_id: int) -> None:
    page.locator(f'.reader[data-drawn="{case_id}"]').wait_for(timeout=OPEN_MS)


def signed(page: Page, case_id: int) -> None:
    said = page.get_by_text(re.compile(rf"^Signed: .*, case {case_id}$"))
    expect(said).to_be_visible(timeout=OPEN_MS)


def export_by_hand(page: Page, server: Server) -> zipfile.ZipFile:
    """Make an export on its page and download it."""
    n_before = len(requests.exports(server.ws, by=OPERATOR))
    page.goto("/export")
    page.get_by_role("button", name="Make export").click()
    made = page.get_by_role("link", name="Download")
    expect(made).to_have_count(n_before + 1, timeout=60_000)
    with page.expect_download() as download:
        made.first.click()
    return zipfile.ZipFile(io.BytesIO(Path(download.value.path()).read_bytes()))


def rows(archive: zipfile.ZipFile, table: str) -> list[dict]:
    return [json.loads(line) for line in archive.read(f"{table}.jsonl").splitlines()]


def reconciles(archive: zipfile.ZipFile, server: Server) -> None:
    manifest = json.loads(archive.read("manifest.json"))
    with server.ws.read() as session:
        n_verdicts = len(session.scalars(select(Verdict.id)).all())
    assert manifest["counts"]["rows"]["verdicts"] == n_verdicts == len(rows(archive, "verdicts"))
    assert set(manifest["files"]) == set(archive.namelist()) - {"manifest.json", "README.md"}


def test_a_reader_and_an_engineer_go_round_the_loop_with_phantoms(open_as, server):
    registry.import_model(server.ws, sorted(CARDS.glob("*.toml"))[0], by=OPERATOR)
    phantoms = [phantom for phantom in demo_set() if phantom.bits == 8][:2]
    reader = open_as(Role.READER)
    upload(reader, [(f"{n}.png", to_png(p.pixels)) for n, p in enumerate(phantoms)])
    wait_until_explained(reader, server, 2)
    reader.get_by_role("button", name="Read the next case").click()
    drawn(reader, 1)
    reader.keyboard.press("a")
    reader.keyboard.press("Enter")
    drawn(reader, 2)
    signed(reader, 1)
    for key in ("r", "1", "4", "t"):
        reader.keyboard.press(key)
    reader.keyboard.type("=looks at the marker")
    reader.keyboard.press("Control+Enter")
    signed(reader, 2)

    engineer = open_as(Role.ENGINEER)
    engineer.goto("/triage?case=2")
    expect(engineer.get_by_role("heading", name="Case 2")).to_be_visible(timeout=OPEN_MS)
    engineer.get_by_label("Comment").fill("the marker again")
    engineer.get_by_role("button", name="Close case").click()
    expect(engineer.get_by_text("Closed: Model uses a shortcut")).to_be_visible(timeout=OPEN_MS)

    with export_by_hand(engineer, server) as archive:
        reconciles(archive, server)
        first, second = rows(archive, "verdicts")
        assert (first["opinion"], second["opinion"]) == ("accept", "reject")
        assert second["comment"] == "=looks at the marker"
        assert b"'=looks at the marker" in archive.read("verdicts.csv")
        assert [case["disposition"] for case in rows(archive, "cases")] == [None, "model_shortcut"]
    assert verify(server.ws, by=OPERATOR).problems == ()


@pytest.mark.real
def test_the_loop_with_a_real_model_and_real_images(open_as, server, shared_data, tmp_path):
    for model in registry.list_models(server.ws, by=OPERATOR):
        registry.set_active(server.ws, model.id, active=False, by=OPERATOR)
    registry.import_model(server.ws, write_squeezenet(tmp_path, shared_data), by=OPERATOR)
    names = ("n02109961_Eskimo_dog.JPEG", "n02110185_Siberian_husky.JPEG")
    files = [(name, (shared_data / "imagenet" / name).read_bytes()) for name in names]
    files.append(("x-chest", (shared_data / "cxr" / "rsna-chest.dcm").read_bytes()))
    with server.ws.read() as session:
        n_before = len(session.scalars(select(Case.id)).all())
    dog, husky, chest = range(n_before + 1, n_before + 4)

    reader = open_as(Role.READER)
    upload(reader, files)
    wait_until_explained(reader, server, 3)
    reader.goto(f"/review?case={dog}")
    drawn(reader, dog)
    expect(reader.get_by_text("Eskimo dog", exact=True).first).to_be_visible()
    reader.keyboard.press("a")
    reader.keyboard.press("Enter")
    drawn(reader, husky)
    signed(reader, dog)
    expect(reader.get_by_text("toy poodle", exact=True).first).to_be_visible()
    for key in ("r", "1", "l"):
        reader.keyboard.press(key)
    reader.keyboard.type("Siberian husky")
    reader.keyboard.press("Enter")
    reader.keyboard.press("Control+Enter")
    signed(reader, husky)
    drawn(reader, chest)
    reader.keyboard.press("u")
    reader.keyboard.press("Enter")
    signed(reader, chest)

    with server.ws.read() as session:
        flags = session.scalars(select(TriageFlag.reason).where(TriageFlag.case_id == husky)).all()
        assert session.get_one(Case, husky).status is CaseStatus.REVIEWED
    assert TriageReason.REJECTED in flags

    with export_by_hand(open_as(Role.ENGINEER), server) as archive:
        reconciles(archive, server)
        of = {row["case_id"]: row for row in rows(archive, "verdicts")}
        labels = {row["case_id"]: row["final_label"] for row in rows(archive, "cases")}
    assert (of[dog]["opinion"], labels[dog]) == (Opinion.ACCEPT, "Eskimo dog")
    assert (of[husky]["predicted_label"], of[husky]["opinion"]) == ("toy poodle", Opinion.REJECT)
    assert (of[husky]["corrected_label"], labels[husky]) == ("Siberian husky", "Siberian husky")
    assert verify(server.ws, by=OPERATOR).problems == ()
