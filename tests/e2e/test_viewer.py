"""The review page in the browser: what is drawn, what is signed, what the keys do."""

import re
from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import func, select

from db.tables import Case, Job, Prediction, Verdict
from db.types import Exposure, JobKind, JobStatus, Opinion, Role
from db.verdicts import is_current
from tests import builders, readings
from tests.e2e.conftest import OPEN_MS, drawn
from tests.server import Server, running
from ui.http.assets import VERSION
from xai_core.rendering import colourise, diverging_lut, symmetric_limit

pytestmark = pytest.mark.e2e

NEXT_CASE_MS = 300
HOLD_MS = 400


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server without a worker: what the cases hold is up to the tests."""
    with running(tmp_path_factory.mktemp("home")) as started:
        yield started


@pytest.fixture
def three_cases(server: Server) -> tuple[int, int, int]:
    """Three explained cases that belong to this test alone, in order."""
    with server.ws.begin() as session:
        model = builders.model(session)
        cases = [
            readings.explained_case(session, server.ws.artifacts, model, synthetic=True)
            for _ in range(3)
        ]
        first, second, third = [case.id for case in cases]
    return first, second, third


def current_verdicts(server: Server, case_id: int) -> list[Verdict]:
    with server.ws.read() as session:
        return list(
            session.scalars(select(Verdict).where(Verdict.case_id == case_id, is_current()))
        )


def n_rows(server: Server, case_id: int) -> int:
    with server.ws.read() as session:
        return session.scalar(select(func.count()).where(Verdict.case_id == case_id)) or 0


def signed(page: Page, case_id: int, opinion: str = ".*") -> None:
    said = page.get_by_text(re.compile(rf"^Signed: {opinion}, case {case_id}$"))
    expect(said).to_be_visible(timeout=OPEN_MS)


# --- signing ----------------------------------------------------------------------------------


def test_two_keys_sign_and_the_next_case_is_drawn_within_300_ms(server, three_cases, read):
    first, second, _ = three_cases
    page = read(first)
    page.keyboard.press("a")
    page.keyboard.press("Enter")
    drawn(page, second)
    signed(page, first)
    expect(page).to_have_url(re.compile(rf"case={second}"))
    (took,) = page.evaluate(
        "performance.getEntriesByName('second-look:next-case').map((entry) => entry.duration)"
    )
    assert took < NEXT_CASE_MS
    (verdict,) = current_verdicts(server, first)
    assert verdict.opinion is Opinion.ACCEPT
    assert verdict.exposure is Exposure.EXPLANATION
    assert verdict.active_seconds > 0
    assert len(verdict.evidence["maps"]) == 2


def test_the_keys_are_heard_after_the_menu_led_here_but_not_with_the_focus_in_it(three_cases, read):
    page = read(three_cases[0])
    menu = page.get_by_test_id("stTopNav")
    menu.get_by_role("link", name="Worklist").click()
    page.locator(".reader").wait_for(state="detached")
    menu.get_by_role("link", name="Review").click()
    page.locator(".reader[data-drawn]").wait_for(timeout=OPEN_MS)
    page.keyboard.press("a")
    accept = page.get_by_role("radio", name="A Accept", exact=True)
    expect(accept).to_be_checked()
    menu.get_by_role("link", name="Review").focus()
    page.keyboard.press("r")
    expect(accept).to_be_checked()
    page.locator(".reader").click(position={"x": 2, "y": 2})
    page.keyboard.press("r")
    expect(page.get_by_role("radio", name="R Reject", exact=True)).to_be_checked()


def test_a_verdict_key_alone_signs_nothing(server, three_cases, read):
    page = read(three_cases[0])
    page.keyboard.press("a")
    expect(page.get_by_role("radio", name="A Accept", exact=True)).to_be_checked()
    page.keyboard.press("j")
    drawn(page, three_cases[1])
    assert not current_verdicts(server, three_cases[0])


def test_a_double_click_signs_once_and_leaves_the_next_case_alone(server, three_cases, read):
    first, second, _ = three_cases
    page = read(first)
    page.keyboard.press("u")
    page.get_by_role("button", name="Sign").dblclick()
    signed(page, first)
    drawn(page, second)
    assert n_rows(server, first) == 1
    assert n_rows(server, second) == 0


def test_reject_asks_for_a_reason_and_letters_typed_in_fields_are_no_keys(
    server, three_cases, read
):
    first = three_cases[0]
    page = read(first)
    page.keyboard.press("r")
    expect(page.get_by_role("button", name="Sign")).to_be_disabled()
    expect(page.get_by_text("Say what is wrong: 1, 2, 6, 7, or a class (L).")).to_be_visible()
    page.keyboard.press("4")
    page.keyboard.press("l")
    page.keyboard.type("effu")
    page.keyboard.press("Enter")
    page.keyboard.press("g")
    page.keyboard.press("g")
    page.keyboard.press("t")
    page.keyboard.type("harm; a, r, j, k")
    page.keyboard.press("Control+Enter")
    signed(page, first)
    (verdict,) = current_verdicts(server, first)
    assert verdict.opinion is Opinion.REJECT
    assert verdict.reasons == ["looks_at_marker"]
    assert verdict.corrected_label == "effusion"
    assert verdict.comment == "harm; a, r, j, k"
    assert list(verdict.plausibility.values()) == ["implausible"]


def test_undo_withdraws_the_verdict_and_brings_the_draft_back(server, three_cases, read):
    first, second, _ = three_cases
    page = read(first)
    page.keyboard.press("m")
    page.keyboard.press("t")
    page.keyboard.type("smaller than marked")
    page.keyboard.press("Control+Enter")
    drawn(page, second)
    signed(page, first)
    page.keyboard.press("Control+z")
    drawn(page, first)
    expect(page.get_by_text(f"your verdict on case {first} is withdrawn")).to_be_visible()
    expect(page.get_by_label("Comment")).to_have_value("smaller than marked")
    assert not current_verdicts(server, first)
    assert n_rows(server, first) == 2


def test_a_later_verdict_supersedes_and_the_earlier_one_is_shown(server, three_cases, read):
    first, second, _ = three_cases
    page = read(first)
    page.keyboard.press("a")
    page.keyboard.press("Enter")
    drawn(page, second)
    signed(page, first)
    page.keyboard.press("k")
    drawn(page, first)
    expect(page.get_by_text("Signing again supersedes it")).to_be_visible()
    page.keyboard.press("u")
    page.keyboard.press("Enter")
    signed(page, first, "Cannot assess")
    (verdict,) = current_verdicts(server, first)
    assert verdict.opinion is Opinion.CANNOT_ASSESS
    assert n_rows(server, first) == 2


def test_changed_evidence_is_refused_and_the_draft_is_kept(server, three_cases, read):
    first = three_cases[0]
    page = read(first)
    with server.ws.begin() as session:
        session.scalars(select(Prediction).where(Prediction.case_id == first)).one().score = 0.12
    page.keyboard.press("m")
    page.keyboard.press("t")
    page.keyboard.type("kept")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("has changed since it was shown")).to_be_visible()
    drawn(page, first)
    expect(page.locator(".answer")).to_contain_text("12 %")
    expect(page.get_by_label("Comment")).to_have_value("kept")
    assert n_rows(server, first) == 0


def test_a_reload_keeps_what_was_typed(three_cases, read):
    page = read(three_cases[0])
    page.keyboard.press("t")
    page.keyboard.type("a long thought")
    page.reload()
    drawn(page, three_cases[0])
    expect(page.get_by_label("Comment")).to_have_value("a long thought")


def test_a_reader_who_hid_the_heatmaps_has_seen_the_prediction_alone(server, three_cases, read):
    first, second, _ = three_cases
    page = read(first)
    page.keyboard.press("h")
    page.keyboard.press("j")
    drawn(page, second)
    page.keyboard.press("a")
    page.keyboard.press("Enter")
    signed(page, second)
    (verdict,) = current_verdicts(server, second)
    assert verdict.exposure is Exposure.PREDICTION


def test_an_engineer_looks_but_cannot_sign(server, three_cases, read):
    page = read(three_cases[0], Role.ENGINEER)
    page.keyboard.press("a")
    page.keyboard.press("Enter")
    expect(page.get_by_text("verdicts are signed by readers")).to_be_visible()
    expect(page.get_by_role("button", name="Sign")).to_be_disabled()
    assert n_rows(server, three_cases[0]) == 0


def test_the_last_case_of_a_list_leads_to_all_read_with_a_way_back(server, read):
    with server.ws.begin() as session:
        model = builders.model(session)
        only = readings.explained_case(session, server.ws.artifacts, model).id
    page = read(only, model_id=model.id)
    page.keyboard.press("a")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="All read")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    drawn(page, only)
    assert not current_verdicts(server, only)


def test_an_unknown_case_is_said(open_as):
    page = open_as(Role.READER)
    page.goto("/review?case=999999")
    expect(page.get_by_role("heading", name="Unknown case")).to_be_visible()


def test_actions_leave_one_at_a_time_and_in_order(three_cases, read):
    page = read(three_cases[0])
    delivered = page.evaluate(
        """async (address) => {
             const { Outbox } = await import(address);
             const left = [];
             const outbox = new Outbox((action) => left.push([action.kind, action.seq]), () => {});
             outbox.acknowledge(7);  // what an earlier page of the same session had done
             outbox.send({ kind: "open" });
             outbox.send({ kind: "verdict" });
             const before = left.length;
             const done = outbox.acknowledge(8).kind;
             outbox.stop();
             return { before, done, left, busy: outbox.busy };
           }""",
        f"/viewer/{VERSION}/outbox.js",
    )
    assert delivered == {
        "before": 1,
        "done": "open",
        "left": [["open", 8], ["verdict", 9]],
        "busy": True,
    }


# --- what is drawn ----------------------------------------------------------------------------


def next_frame(page: Page) -> None:
    page.evaluate("new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(r)))")


def pixel(page: Page, pane: int, x: float, y: float) -> list[int]:
    """Return the colour of a pane at shares x, y of its width and height, moved off the cross."""
    return (
        page.locator("canvas")
        .nth(pane)
        .evaluate(
            """(canvas, [x, y]) => Array.from(canvas.getContext("2d").getImageData(
             Math.floor(x * canvas.width), Math.floor(y * canvas.height), 1, 1).data)""",
            [x, y],
        )
    )


def test_the_window_acts_on_raw_16_bit_pixels(server, read):
    pixels = np.full((64, 64), 1000, np.uint16)
    with server.ws.begin() as session:
        flat = readings.explained_case(
            session,
            server.ws.artifacts,
            builders.model(session),
            pixels,
            window_low=0.0,
            window_high=4000.0,
            rescale_intercept=-1024.0,
        ).id
    page = read(flat)
    assert pixel(page, 0, 0.5, 0.5)[:3] == [64, 64, 64]
    page.keyboard.press("i")
    next_frame(page)
    assert pixel(page, 0, 0.5, 0.5)[:3] == [191, 191, 191]
    page.locator("canvas").first.hover()
    expect(page.locator(".readout").first).to_contain_text("−24")
    expect(page.locator(".window")).to_have_text("W 4000  L 976")


def test_the_screen_draws_maps_as_the_core_does(three_cases, read):
    page = read(three_cases[0])
    heat = np.random.default_rng(0).normal(size=(40, 30)).astype(np.float32)
    got = page.evaluate(
        """async ([address, values, lut]) => {
             const { decodeMap, MapLayer } = await import(address);
             const map = decodeMap(new Float32Array(values).buffer, { width: 30, height: 40 });
             const canvas = new MapLayer().paint(map, lut, 0);
             const { data } = canvas.getContext("2d").getImageData(0, 0, 30, 40);
             return { limit: map.limit, rgba: Array.from(data) };
           }""",
        [
            f"/viewer/{VERSION}/attribution.js",
            heat.ravel().tolist(),
            diverging_lut().ravel().tolist(),
        ],
    )
    limit = symmetric_limit(heat)
    assert got["limit"] == pytest.approx(limit, rel=1e-6)
    rgba = np.array(got["rgba"]).reshape(40, 30, 4)
    alpha = np.rint(255 * np.clip(np.abs(heat) / limit, 0, 1))
    assert np.abs(rgba[..., 3] - alpha).max() <= 1
    opaque = alpha == 255  # a canvas keeps colours exactly only where they are opaque
    np.testing.assert_array_equal(rgba[opaque][:, :3], colourise(heat, limit)[opaque])


def test_the_maps_lie_where_the_model_looked_and_hide_with_h(server, read):
    with server.ws.begin() as session:
        model = builders.model(session)
        case = readings.case(session, server.ws.artifacts, np.zeros((64, 64), np.uint8))
        prediction = builders.prediction(
            session, case, model, geometry={"x": 32, "y": 0, "width": 32, "height": 32}
        )
        heat = np.full((1, 32, 32), 0.001, np.float32)
        heat[0, :16] = 1.0
        readings.explain(session, server.ws.artifacts, prediction, gradients=heat)
        cropped = case.id
    page = read(cropped)
    upper_right, below_it = pixel(page, 1, 0.75, 0.14), pixel(page, 1, 0.75, 0.36)
    assert upper_right[0] > 120 > upper_right[2]
    assert below_it[:3] == [0, 0, 0]
    page.locator("canvas").nth(1).hover(position={"x": 60, "y": 250})
    expect(page.locator(".readout").nth(1)).to_have_text("outside what the model saw")
    page.keyboard.press("h")
    next_frame(page)
    assert pixel(page, 1, 0.75, 0.14)[:3] == [0, 0, 0]
    page.keyboard.press("h", delay=HOLD_MS)  # held, it shows for as long as it is held
    next_frame(page)
    assert pixel(page, 1, 0.75, 0.14)[:3] == [0, 0, 0]


def test_maps_without_meaning_are_said_and_not_drawn(server, read):
    nothing = np.full((1, 32, 32), np.nan, np.float32)
    with server.ws.begin() as session:
        case = readings.case(session, server.ws.artifacts)
        prediction = builders.prediction(session, case, builders.model(session))
        readings.explain(
            session,
            server.ws.artifacts,
            prediction,
            gradients=nothing,
            occlusion=np.zeros_like(nothing),
        )
        bad = case.id
    page = read(bad)
    expect(page.get_by_text("1024 of its 1024 values are not numbers").first).to_be_visible()
    expect(page.get_by_text("it is flat: all its values are the same")).to_be_visible()
    assert pixel(page, 1, 0.3, 0.5) == pixel(page, 0, 0.3, 0.5)


def test_looking_around_asks_the_server_for_nothing(three_cases, read):
    page = read(three_cases[0])
    page.wait_for_load_state("networkidle")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    canvas = page.locator("canvas").first
    box = canvas.bounding_box()
    assert box
    page.mouse.move(box["x"] + 200, box["y"] + 200)
    page.mouse.wheel(0, -400)
    for button in ("left", "right"):
        page.mouse.down(button=button)
        page.mouse.move(box["x"] + 260, box["y"] + 240, steps=4)
        page.mouse.up(button=button)
    for key in ("h", "i", "[", ".", "z", "f"):
        page.keyboard.press(key)
    page.get_by_label("Opacity").fill("30")
    expect(page.locator(".heat-controls output").first).to_have_text("30 %")
    assert [url for url in asked if "/api/session" not in url] == []


def test_a_box_is_kept_in_image_pixels_and_can_be_removed(server, three_cases, read):
    first = three_cases[0]
    page = read(first)
    canvas = page.locator("canvas").nth(2).bounding_box()
    assert canvas
    scale = min(canvas["width"], canvas["height"]) / readings.SIDE_PX
    left = canvas["x"] + (canvas["width"] - scale * readings.SIDE_PX) / 2
    top = canvas["y"] + (canvas["height"] - scale * readings.SIDE_PX) / 2
    for x, y in ((10, 20), (40, 40)):
        page.keyboard.press("b")
        page.mouse.move(left + scale * x, top + scale * y)
        page.mouse.down()
        page.mouse.move(left + scale * (x + 16), top + scale * (y + 8), steps=3)
        page.mouse.up()
    page.get_by_role("button", name="Remove box 2").click()
    page.keyboard.press("m")
    page.keyboard.press("Enter")
    signed(page, first)
    (verdict,) = current_verdicts(server, first)
    assert verdict.boxes == [{"x": 10, "y": 20, "width": 16, "height": 8}]


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (1500, 950), (2560, 1440)])
def test_nothing_scrolls(three_cases, read, width, height):
    page = read(three_cases[0])
    page.set_viewport_size({"width": width, "height": height})
    next_frame(page)
    main = page.get_by_test_id("stMain")
    assert main.evaluate("(main) => main.scrollHeight <= main.clientHeight")
    caution = page.get_by_text("A heatmap is help, not evidence.").bounding_box()
    assert caution
    assert caution["y"] + caution["height"] <= height


# --- explaining -------------------------------------------------------------------------------


@pytest.fixture
def being_explained(server: Server) -> int:
    """A predicted case whose maps are being made."""
    with server.ws.begin() as session:
        model = builders.model(session)
        case = readings.case(session, server.ws.artifacts)
        builders.prediction(session, case, model)
        payload = {"case_id": case.id, "model_id": model.id, "preset": "standard"}
        job = Job(
            key=builders.sha256(f"job of {case.id}"),
            kind=JobKind.EXPLAIN,
            payload={**payload, "baseline": "black", "target": None},
            case_id=case.id,
            status=JobStatus.RUNNING,
            n_done=25,
            n_total=100,
            stage="Integrated Gradients, 25 of 50 steps",
        )
        session.add(job)
        session.flush()
        return case.id


def test_progress_is_live_and_the_maps_appear_by_themselves(server, being_explained, read):
    page = read(being_explained)
    expect(page.get_by_role("progressbar").first).to_have_attribute("aria-valuenow", "25")
    page.keyboard.press("a")
    expect(page.get_by_role("button", name="Sign")).to_be_disabled()
    with server.ws.begin() as session:
        job = session.scalars(select(Job).where(Job.case_id == being_explained)).one()
        job.n_done, job.stage = 80, "Occlusion, 30 of 40 windows"
    expect(page.get_by_text("Occlusion, 30 of 40 windows").first).to_be_visible()
    with server.ws.begin() as session:
        job = session.scalars(select(Job).where(Job.case_id == being_explained)).one()
        job.status = JobStatus.DONE
        prediction = session.scalars(
            select(Prediction).where(Prediction.case_id == being_explained)
        ).one()
        readings.explain(session, server.ws.artifacts, prediction)
    expect(page.get_by_role("button", name="Sign")).to_be_enabled()
    expect(page.get_by_text("limit ±1").first).to_be_visible()


def test_a_failed_explanation_says_why_and_can_be_tried_again(server, being_explained, read):
    with server.ws.begin() as session:
        job = session.scalars(select(Job).where(Job.case_id == being_explained)).one()
        job.status, job.error = JobStatus.FAILED, "The model answered with NaN."
    page = read(being_explained)
    expect(page.get_by_text("The model answered with NaN.").first).to_be_visible()
    page.get_by_role("button", name="Retry").first.click()
    expect(page.get_by_text("Waiting for a worker").first).to_be_visible()
    page.get_by_role("button", name="Cancel").first.click()
    expect(page.get_by_text("The explanation was cancelled.").first).to_be_visible()


def test_another_class_is_explained_on_request(server, three_cases, read):
    first = three_cases[0]
    page = read(first)
    field = page.get_by_role("combobox", name="Explain another class")
    field.fill("cardio")
    field.press("Enter")
    expect(page.get_by_text("Maps explain cardiomegaly")).to_be_visible()
    expect(page.get_by_text("Waiting for a worker").first).to_be_visible()
    with server.ws.read() as session:
        job = session.scalars(select(Job).where(Job.case_id == first)).one()
        assert job.payload["target"] == 3
    page.get_by_role("button", name="Back to nodule").click()
    expect(page.get_by_text("Waiting for a worker")).to_have_count(0)


def test_each_model_that_predicted_the_case_has_a_tab(server, three_cases, read):
    first = three_cases[0]
    with server.ws.begin() as session:
        case = session.get_one(Case, first)
        other = builders.model(session, name="second-opinion")
        effusion = {"target": 2, "label": "effusion", "score": 0.8, "scores": [0.1, 0.1, 0.8, 0.0]}
        builders.prediction(session, case, other, **effusion)
    page = read(first)
    page.get_by_role("tab", name="second-opinion").click()
    expect(page.locator(".answer")).to_contain_text("effusion")
    expect(page).to_have_url(re.compile(rf"model={other.id}"))


def test_the_next_unread_prediction_is_opened_though_a_step_would_keep_the_model(
    server, three_cases, read
):
    first, second, third = three_cases
    with server.ws.begin() as session:
        case = session.get_one(Case, second)
        other = builders.model(session, name="late-opinion")
        readings.explain(session, server.ws.artifacts, builders.prediction(session, case, other))
        (model_id,) = session.scalars(
            select(Prediction.model_id).where(Prediction.case_id == first)
        )
    page = read(second, model=model_id)
    page.keyboard.press("a")
    page.keyboard.press("Enter")
    drawn(page, third)
    signed(page, second)
    page.goto(f"/review?case={first}&model={model_id}")
    drawn(page, first)
    page.keyboard.press("a")
    page.keyboard.press("Enter")
    drawn(page, second)
    signed(page, first)
    expect(page.get_by_role("tab", name="late-opinion")).to_have_attribute("aria-selected", "true")
    expect(page).to_have_url(re.compile(rf"case={second}&model={other.id}"))
    assert len(current_verdicts(server, second)) == 1
