"""The upload page in the browser: folders by drag and by button, cancelling, a cut line."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import func, select

from db.tables import Case
from tests.e2e.conftest import OPEN_MS
from tests.e2e.drills import desk, line, reader_id, server
from tests.pictures import png

__all__ = ["desk", "line", "reader_id", "server"]  # fixtures
pytestmark = pytest.mark.e2e

N_FILES = 70  # more than one parcel


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of images in folders, with clutter and a file that is none."""
    made = tmp_path / "set"
    for n in range(N_FILES):
        path = made / f"{n % 3}" / f"{n}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(n))
    (made / "notes.txt").write_text("no image")
    (made / ".DS_Store").write_bytes(b"clutter")
    return made


@pytest.fixture
def page(desk, reader_id: int) -> Page:
    opened = desk.browser(reader_id).new_page()
    opened.goto("/upload")
    expect(opened.get_by_role("button", name="Choose a folder…")).to_be_visible(timeout=OPEN_MS)
    return opened


def drop(page: Page, path: Path) -> None:
    """Drag a file or folder of this machine onto the page."""
    box = page.locator(".upload").bounding_box()
    assert box
    at = {"x": box["x"] + 40, "y": box["y"] + 20}
    data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
    browser = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        browser.send("Input.dispatchDragEvent", {"type": kind, **at, "data": data})


def n_cases(server) -> int:
    with server.ws.read() as session:
        return session.scalar(select(func.count()).select_from(Case)) or 0


def test_a_folder_that_is_dropped_is_stored_and_each_file_has_its_outcome(page, server, folder):
    drop(page, folder)
    expect(page.get_by_text(f"{N_FILES} stored")).to_be_visible(timeout=120_000)
    expect(page.get_by_text("1 refused")).to_be_visible()
    assert n_cases(server) == N_FILES
    expect(page.get_by_role("button", name="Choose files…")).to_be_focused()


def test_what_is_sent_while_the_line_is_cut_arrives_when_it_is_back(page, line, server, folder):
    before = n_cases(server)
    line.cut()
    new = folder.parent / "new.png"
    new.write_bytes(png(1_000))
    page.locator("input[type=file]").first.set_input_files(new)
    expect(page.get_by_text("Offline. Trying again.").first).to_be_visible()
    line.mend()
    expect(page.locator(".under-way")).to_be_hidden(timeout=60_000)
    expect(page.get_by_text("1 stored")).to_be_visible(timeout=60_000)
    assert n_cases(server) == before + 1


def test_what_is_cancelled_is_not_stored(page, line, server, folder):
    before = n_cases(server)
    line.swallow()
    new = folder.parent / "unwanted.png"
    new.write_bytes(png(2_000))
    page.locator("input[type=file]").first.set_input_files(new)
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("Cancelled; what is stored stays.")).to_be_visible()
    assert n_cases(server) == before
