"""The worklist in the browser: found by filters, opened by mouse and keyboard, shared by link."""

import io

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from db.tables import Case, Job
from db.types import CaseStatus, JobStatus, Role
from imaging.encode import to_png
from review.workspace import Workspace
from tests import builders

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def cases(server) -> list[int]:
    """Two cases to read and one that a worker elsewhere explains."""
    with server.ws.begin() as session:
        weights = builders.artifact(session, server.ws.artifacts, b"weights")
        model = builders.model(session, active=False, weights_sha256=weights)
        readable = [explained(session, server.ws, model, n) for n in range(2)]
        waiting = builders.case(session, status=CaseStatus.EXPLAINING)
        job = builders.job(session, case_id=waiting.id)
        job.status, job.n_done, job.n_total = JobStatus.RUNNING, 1, 4
        return [*readable, waiting.id]


def explained(session, ws: Workspace, model, number: int) -> int:
    png = to_png(np.full((48, 64), 100 + number, np.uint8))
    image = builders.artifact(session, ws.artifacts, png)
    case = builders.case(session, image_sha256=image, thumbnail_sha256=image)
    prediction = builders.prediction(session, case, model, label=("nodule", "normal")[number])
    buffer = io.BytesIO()
    np.save(buffer, np.full((1, 32, 32), 0.1 + number, np.float32))
    values = builders.artifact(session, ws.artifacts, buffer.getvalue())
    for method in ("integrated_gradients", "occlusion"):
        builders.explanation(session, prediction, method=method, artifact_sha256=values)
    return case.id


def rows(page: Page):
    return page.get_by_role("table", name="Cases").locator("tbody tr")


def test_a_filter_is_shared_by_its_address_and_undone_by_going_back(open_as, cases, server):
    page = open_as(Role.READER)
    expect(rows(page)).to_have_count(3)
    page.get_by_label("Search").fill("nodule")
    page.keyboard.press("Enter")
    expect(rows(page)).to_have_count(1)
    expect(page).to_have_url(f"{server.url}/?text=nodule")
    page.reload()
    expect(rows(page)).to_have_count(1)
    page.get_by_role("button", name="Clear filters").click()
    expect(rows(page)).to_have_count(3)
    page.go_back()
    expect(page.get_by_label("Search")).to_have_value("nodule")
    expect(rows(page)).to_have_count(1)


def test_a_case_opens_by_mouse_and_by_keyboard_within_its_list(open_as, cases, server):
    page = open_as(Role.READER)
    page.goto("/?sort=newest")
    rows(page).nth(1).click(position={"x": 700, "y": 10})
    expect(page).to_have_url(f"{server.url}/review?sort=newest&case={cases[1]}")
    page.go_back()
    page.get_by_role("link", name=f"Case {cases[0]}").press("Enter")
    expect(page).to_have_url(f"{server.url}/review?sort=newest&case={cases[0]}")
    page.locator(f'.reader[data-drawn="{cases[0]}"]').wait_for()


def test_progress_moves_by_itself_until_the_case_can_be_read(open_as, cases, server):
    page = open_as(Role.READER)
    bar = page.get_by_role("progressbar", name=f"Case {cases[2]}")
    expect(bar).to_have_attribute("aria-valuenow", "25")
    with server.ws.begin() as session:
        job = session.query(Job).filter_by(case_id=cases[2]).one()
        job.n_done = 3
    expect(bar).to_have_attribute("aria-valuenow", "75")
    with server.ws.begin() as session:
        session.get_one(Job, job.id).status = JobStatus.DONE
        session.get_one(Case, cases[2]).status = CaseStatus.READY
    expect(rows(page).nth(2)).to_contain_text("To read")
    expect(bar).to_have_count(0)
