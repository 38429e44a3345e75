"""Other methods' maps on the review page: picked, made, cancelled, failed, judged and signed."""

import re
import signal
from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect
from sqlalchemy import select

from db.tables import Explanation, Job, Prediction, Verdict
from db.types import JobStatus
from review.catalogue import Stepping
from review.maps.recipes import Recipe
from tests import builders, readings
from tests.server import Server, running

pytestmark = pytest.mark.e2e

MADE = {"preset": "standard", "baseline": "black", "rule": "adaptive", "tolerance": 0.01}
BY = Recipe("standard", "black", stepping=Stepping.ADAPTIVE)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server without a worker: what the cases hold is up to the tests."""
    with running(tmp_path_factory.mktemp("home")) as started:
        yield started


@pytest.fixture
def case_id(server: Server) -> int:
    """A case with the pair's maps, made adaptively."""
    with server.ws.begin() as session:
        case = readings.case(session, server.ws.artifacts)
        prediction = builders.prediction(session, case, builders.model(session))
        readings.explain(session, server.ws.artifacts, prediction, params=MADE, by=BY)
        return case.id


def add_map(server: Server, case_id: int, method: str, **fields: object) -> int:
    with server.ws.begin() as session:
        prediction = session.scalars(select(Prediction).where(Prediction.case_id == case_id)).one()
        heat = readings.npy(readings.spot(8, 24))
        sha256 = server.ws.artifacts.put(session, heat, media_type="application/x-npy")
        defaults = {
            "method": method,
            "artifact_sha256": sha256,
            "params": MADE,
            "recipe": BY.for_map(method),
        }
        return builders.explanation(session, prediction, **(defaults | fields)).id


def the_job(server: Server, case_id: int) -> Job:
    with server.ws.read() as session:
        return session.scalars(select(Job).where(Job.case_id == case_id)).one()


def change_job(server: Server, case_id: int, **fields: object) -> None:
    with server.ws.begin() as session:
        job = session.scalars(select(Job).where(Job.case_id == case_id)).one()
        for name, value in fields.items():
            setattr(job, name, value)


def picker(page: Page, side: int = 0) -> Locator:
    return page.locator("select.method").nth(side)


def test_a_method_is_picked_by_keyboard_and_only_where_the_reader_stops(server, case_id, read):
    page = read(case_id)
    picker(page).focus()
    expect(picker(page)).to_have_attribute("title", re.compile("Fading the image in"))
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    chosen = picker(page).input_value()
    expect(page).to_have_url(re.compile(rf"left={chosen}&right=occlusion"))
    job = the_job(server, case_id)
    assert (job.payload["methods"], job.payload["stepping"]) == ([chosen], "adaptive")
    expect(page.get_by_text("Waiting for a worker")).to_have_count(1)
    expect(
        page.locator(".pane").nth(2).get_by_role("radio", name="Plausible", exact=True)
    ).to_be_visible()
    page.keyboard.press("a")  # the keys are the verdict's again
    expect(page.get_by_role("radio", name="A Accept", exact=True)).to_be_checked()
    assert picker(page).input_value() == chosen
    expect(page.get_by_role("button", name="Sign")).to_be_disabled()


def test_escape_takes_a_choice_back(server, case_id, read):
    page = read(case_id)
    picker(page).focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Escape")
    assert picker(page).input_value() == "integrated_gradients"
    page.wait_for_timeout(1000)
    assert "left=" not in page.url


def test_a_map_on_demand_shows_progress_and_appears_by_itself(server, case_id, read):
    page = read(case_id)
    picker(page).select_option("rise")
    expect(page.get_by_text("Waiting for a worker")).to_have_count(1)
    change_job(
        server, case_id, status=JobStatus.RUNNING, n_done=25, n_total=100, stage="RISE, 25 of 100"
    )
    expect(page.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "25")
    change_job(server, case_id, status=JobStatus.DONE)
    add_map(server, case_id, "rise")
    expect(page.locator(".pane").nth(1)).to_contain_text("effect on the score")
    expect(page.locator(".pane").nth(1)).to_have_attribute("aria-label", "RISE")


def test_a_cancelled_map_has_a_way_back(server, case_id, read):
    page = read(case_id)
    picker(page, 1).select_option("kernel_shap")
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("The explanation was cancelled.")).to_be_visible()
    expect(page.get_by_role("button", name="Explain", exact=True)).to_be_visible()
    page.get_by_role("button", name="Back to Occlusion").click()
    expect(page.locator(".pane").nth(2)).to_contain_text("fall in score")
    expect(page).not_to_have_url(re.compile("right="))


def test_a_method_that_failed_says_why_in_its_pane_and_has_a_way_back(server, case_id, read):
    page = read(case_id)
    picker(page).select_option("guided_backprop")
    expect(page.get_by_text("Waiting for a worker")).to_be_visible()
    change_job(server, case_id, status=JobStatus.FAILED, error="the model has no ReLU to guide")
    pane = page.locator(".pane").nth(1)
    expect(pane.get_by_text("The model has no ReLU to guide.")).to_be_visible()
    expect(pane.get_by_role("button", name="Retry")).to_be_visible()
    expect(page.locator(".pane").nth(2)).to_contain_text("fall in score")
    pane.get_by_role("button", name="Back to Integrated Gradients").click()
    expect(pane).to_contain_text("score per pixel")


def test_a_map_that_the_other_pane_shows_changes_places(server, case_id, read):
    page = read(case_id)
    picker(page).select_option("occlusion")
    expect(picker(page, 1)).to_have_value("integrated_gradients")
    expect(page).to_have_url(re.compile("left=occlusion&right=integrated_gradients"))
    expect(page.get_by_text("Waiting for a worker")).to_have_count(0)


def test_the_verdict_is_bound_to_the_maps_on_screen_and_to_their_judgements(server, case_id, read):
    rise_id = add_map(server, case_id, "rise")
    page = read(case_id)
    page.keyboard.press("g")  # judged, then put away
    picker(page).select_option("rise")
    expect(page.locator(".pane").nth(1)).to_contain_text("effect on the score")
    page.keyboard.press("g")
    page.keyboard.press("g")
    page.keyboard.press("a")
    page.keyboard.press("Enter")
    expect(page.get_by_text(re.compile("^Signed: Accept"))).to_be_visible()
    with server.ws.read() as session:
        verdict = session.scalars(select(Verdict).where(Verdict.case_id == case_id)).one()
    assert [m["method"] for m in verdict.evidence["maps"]] == ["occlusion", "rise"]
    assert verdict.plausibility == {str(rise_id): "implausible"}


def test_fixed_or_adaptive_steps_are_chosen_beside_the_preset(server, case_id, read):
    page = read(case_id)
    stepping = page.get_by_role("combobox", name="Points of Integrated Gradients")
    expect(stepping).to_have_value("adaptive")
    stepping.select_option("fixed")
    expect(page).to_have_url(re.compile("stepping=fixed"))
    expect(page.get_by_text("Waiting for a worker")).to_have_count(1)
    assert "stepping" not in the_job(server, case_id).payload
    expect(page.locator(".pane").nth(2)).to_contain_text("fall in score")


def test_a_map_that_did_not_converge_says_so_above_itself(server, case_id, read):
    note = "Not converged to 1.00% within 512 points: the last refinement moved the map by 3.00%."
    trust = {"badge": "good", "reasons": [], "of_method": {"has_converged": False, "n_points": 512}}
    params = MADE | {"notes": [note]}
    add_map(server, case_id, "integrated_gradients", params=params, trust=trust)
    page = read(case_id)
    expect(page.locator(".pane").nth(1).locator(".warning")).to_have_text(note)
    assert page.get_by_text(re.compile("Made with: .*512 points, not converged to 1.0%")).count()


@pytest.mark.parametrize(("width", "height"), [(1366, 768), (1920, 1080)])
def test_nothing_scrolls_and_nothing_overlaps_with_a_warning(server, case_id, read, width, height):
    add_map(server, case_id, "guided_backprop")
    page = read(case_id, left="guided_backprop")
    page.set_viewport_size({"width": width, "height": height})
    expect(page.locator(".pane").nth(1).locator(".warning")).to_be_visible()
    main = page.get_by_test_id("stMain")
    assert main.evaluate("(main) => main.scrollHeight <= main.clientHeight")
    boxes = [
        page.locator(".pane").nth(1).locator(part).bounding_box()
        for part in ("header", ".warning", ".stage", "footer")
    ]
    edges = [(box["y"], box["y"] + box["height"]) for box in boxes if box]
    assert len(edges) == 4
    assert np.all(np.diff(np.ravel(edges)) >= -0.5)
    stages = [stage.bounding_box() for stage in page.locator(".pane:visible .stage").all()]
    assert len({stage["height"] for stage in stages if stage}) == 1  # or one picture is stretched


def test_a_map_is_checked_thoroughly_by_keyboard_and_the_badge_follows(server, case_id, read):
    page = read(case_id)
    pane = page.locator(".pane").nth(1)
    pane.locator(".badge").focus()
    page.keyboard.press("Tab")
    expect(pane.get_by_role("button", name="Check thoroughly")).to_be_focused()
    page.keyboard.press("Enter")
    expect(pane.locator(".badge")).to_contain_text("checking 0 %")
    change_job(
        server, case_id, status=JobStatus.RUNNING, n_done=3, n_total=8, stage="Explaining, 3 of 8"
    )
    expect(pane.locator(".badge")).to_contain_text("checking 38 %")
    expect(page.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("a")
    page.keyboard.press("g")
    expect(pane.get_by_role("radio", name="Plausible", exact=True)).to_be_checked()
    expect(page.get_by_role("button", name="Sign")).to_be_enabled()  # a check holds up nobody
    reasons = ["Noise that no reader would see changes the map."]
    trust = {"badge": "poor", "reasons": reasons, "randomisation": {"remaining": 0.1}}
    with server.ws.read() as session:
        of_case = select(Prediction.id).where(Prediction.case_id == case_id).scalar_subquery()
        found = session.scalars(
            select(Explanation).where(
                Explanation.prediction_id == of_case, Explanation.method == "integrated_gradients"
            )
        ).one()
    add_map(
        server,
        case_id,
        "integrated_gradients",
        trust=trust,
        artifact_sha256=found.artifact_sha256,
    )
    change_job(server, case_id, status=JobStatus.DONE)
    expect(pane.locator(".badge")).to_have_text("■Poor")
    expect(pane.get_by_role("button", name="Check thoroughly")).to_have_count(0)
    expect(pane.get_by_role("radio", name="Plausible", exact=True)).to_be_checked()


def test_while_the_server_is_slow_no_map_stands_under_another_ones_name(server, case_id, read):
    add_map(server, case_id, "rise")
    add_map(server, case_id, "saliency")
    page = read(case_id)
    page.keyboard.press("a")
    left, right = page.locator(".pane").nth(1), page.locator(".pane").nth(2)
    server.process.send_signal(signal.SIGSTOP)
    try:
        picker(page).select_option("rise")
        expect(left.get_by_text("Opening …")).to_be_visible()
        expect(left.get_by_role("radio")).to_have_count(0)
        expect(right.get_by_role("radio")).to_have_count(3)
        expect(page.get_by_role("button", name="Sign")).to_be_disabled()
        picker(page, 1).select_option("saliency")
        expect(right.get_by_text("Opening …")).to_be_visible()
    finally:
        server.process.send_signal(signal.SIGCONT)
    expect(left).to_contain_text("effect on the score")
    expect(right).to_contain_text("slope of the score")
    expect(page).to_have_url(re.compile("left=rise&right=saliency"))
    expect(page.get_by_role("button", name="Sign")).to_be_enabled()
