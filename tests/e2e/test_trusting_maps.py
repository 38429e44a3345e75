"""How far maps can be trusted: the pane that sets two against each other, and the badges."""

import re
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from tests import builders, readings
from tests.server import Server, running
from xai_core.measures.chance import shifted_agreement
from xai_core.measures.similarity import agreement, ssim

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server without a worker: what the cases hold is up to the tests."""
    with running(tmp_path_factory.mktemp("home")) as started:
        yield started


@pytest.fixture
def read_maps(server: Server, read: Callable[..., Page]) -> Callable[..., Page]:
    """Open a new case with these maps."""

    def open_case(**maps: np.ndarray) -> Page:
        with server.ws.begin() as session:
            case = readings.case(session, server.ws.artifacts)
            prediction = builders.prediction(session, case, builders.model(session))
            if maps:
                readings.explain(session, server.ws.artifacts, prediction, **maps)
            case_id = case.id
        return read(case_id)

    return open_case


def pane(page: Page) -> Locator:
    return page.get_by_role("region", name="Disagreement")


def spots() -> dict[str, np.ndarray]:
    """Return two maps that speak for the class, each at another place."""
    return {"gradients": readings.spot(10, 10), "occlusion": readings.spot(20, 20)}


def test_the_numbers_on_screen_are_those_of_the_core(read_maps):
    heats = spots()
    page = read_maps(**heats)
    page.keyboard.press("d")
    a, b = (heat[0] for heat in heats.values())
    found, by_chance = agreement(a, b), shifted_agreement(a, b)
    for words in (
        f"Rank correlation{found.spearman:.2f}by chance {by_chance['spearman']:.2f}",
        f"Strongest tenth shared{found.top_iou:.0%}by chance {by_chance['top_k_iou']:.0%}",
        f"Same sign{found.sign_agreement:.0%}by chance {by_chance['sign']:.0%}",
        f"Structural similarity{ssim(a, b):.2f}by chance {by_chance['ssim']:.2f}",
    ):
        shown = words.replace("%", " %").replace("-", "−")
        expect(page.get_by_label("How far the two maps agree")).to_contain_text(shown)


def test_maps_are_compared_only_where_the_pane_is_open_and_once(read_maps):
    page = read_maps(**spots())
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    for _ in range(2):
        page.keyboard.press("d")
        expect(page.get_by_label("How far the two maps agree")).to_contain_text("by chance")
        page.keyboard.press("d")
        expect(pane(page)).to_be_hidden()
    assert sum("/api/agreement/" in url for url in asked) == 1


def test_a_comparison_that_does_not_come_is_said_and_asked_for_again(read_maps):
    page = read_maps(**spots())
    page.route("**/api/agreement/**", lambda route: route.fulfill(body="cut o"))
    page.keyboard.press("d")
    expect(pane(page)).to_contain_text("The comparison could not be loaded")
    page.unroute("**/api/agreement/**")
    page.keyboard.press("d")
    page.keyboard.press("d")
    expect(pane(page)).not_to_contain_text("could not be loaded")
    expect(page.get_by_label("How far the two maps agree")).to_contain_text("by chance")


def test_d_shows_the_pane_with_its_numbers_and_takes_it_away_again(read_maps):
    page = read_maps(**spots())
    expect(pane(page)).to_be_hidden()
    before = page.locator("canvas").first.bounding_box()
    page.keyboard.press("d")
    expect(pane(page)).to_be_visible()
    expect(pane(page)).to_contain_text("Integrated Gradients← says more →Occlusion")
    numbers = page.get_by_label("How far the two maps agree")
    expect(numbers).to_contain_text("Strongest tenth shared")
    expect(numbers).to_contain_text("by chance")
    page.get_by_role("button", name="Disagreement").click()
    expect(pane(page)).to_be_hidden()
    expect(numbers).to_be_hidden()
    assert page.locator("canvas").first.bounding_box() == before


def test_the_pane_says_which_map_says_more_under_the_cursor(read_maps):
    page = read_maps(**spots())
    page.keyboard.press("d")
    canvas, readout = pane(page).locator("canvas"), pane(page).locator(".readout")
    box = canvas.bounding_box()
    assert box
    side = min(box["width"], box["height"])
    left, top = (box["width"] - side) / 2, (box["height"] - side) / 2
    for place, name in ((10 / 32, "Integrated Gradients"), (20 / 32, "Occlusion")):
        canvas.hover(position={"x": left + place * side, "y": top + place * side})
        expect(readout).to_have_text(re.compile(rf"^0\.(49|50|51)   {name} says more$"))


@pytest.mark.parametrize(
    ("maps", "words"),
    [
        ({}, "There is no Integrated Gradients map yet."),
        (
            {"occlusion": np.zeros((1, 32, 32), np.float32)},
            "The Occlusion map means nothing: it is flat",
        ),
        (
            {"gradients": np.full((1, 32, 32), np.nan, np.float32)},
            "The Integrated Gradients map means nothing: 1024 of its 1024 values are not numbers",
        ),
    ],
)
def test_where_there_is_nothing_to_compare_the_pane_says_why(read_maps, maps, words):
    page = read_maps(**maps)
    page.keyboard.press("d")
    expect(pane(page)).to_contain_text("Nothing to compare")
    expect(pane(page)).to_contain_text(words)


CUT_OFF = """(parts) => parts.filter((part) => part.scrollWidth > part.clientWidth)
  .map((part) => part.outerHTML)"""


def test_with_the_pane_nothing_is_cut_off(read_maps):
    page = read_maps(**spots())
    page.keyboard.press("d")
    expect(pane(page)).to_be_visible()
    for width, height in ((1280, 720), (1366, 768), (1920, 1080)):
        page.set_viewport_size({"width": width, "height": height})
        rows = page.locator(".reader :is(.top, .pane > footer, .agreement, .desk .target)")
        assert rows.evaluate_all(CUT_OFF) == []
        caution = page.get_by_text("A heatmap is help, not evidence.").bounding_box()
        assert caution
        assert caution["y"] + caution["height"] <= height


# --- behind a badge -----------------------------------------------------------------------------

TRUST = {
    "relative_delta": 0.3,
    "faithfulness": {"gap": 0.05},
    "infidelity": {"share": 0.95, "even_share": 0.97},
    "agreement": {"with": "occlusion", "spearman": -0.4, "top_k_iou": 0, "sign": 0.2, "ssim": 0.01},
    "corner_share": 0.5,
    "border_share": 0.8,
    "top_cell": 0.6,
    "top_pixel": 0.3,
    "badge": "poor",
    "reasons": ["50% of what speaks for the class lies in the corners."] * 5,
}


def test_behind_a_badge_are_its_reasons_and_measures_for_mouse_and_keyboard(server, read):
    with server.ws.begin() as session:
        case = readings.case(session, server.ws.artifacts)
        prediction = builders.prediction(session, case, builders.model(session))
        readings.explain(session, server.ws.artifacts, prediction, trust=TRUST)
        case_id = case.id
    page = read(case_id)
    page.set_viewport_size({"width": 1366, "height": 768})
    badge, tip = page.locator(".badge").last, page.locator(".tip").last
    badge.hover()
    expect(tip).to_contain_text("Rank correlation−0.400")
    page.keyboard.press("Escape")
    expect(tip).to_be_hidden()
    page.mouse.move(5, 5)
    badge.focus()
    expect(tip).to_be_visible()
    assert tip.locator("ul + table").count() == 1  # the reasons come first
    box = tip.bounding_box()
    assert box
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 1366
    assert box["y"] >= page.locator(".reader").bounding_box()["y"]
    page.keyboard.press("Tab")
    assert tip.evaluate("(tip) => tip.matches(':focus, :focus-within')")  # to scroll, or a link
    page.keyboard.press("Escape")
    expect(tip).to_be_hidden()
