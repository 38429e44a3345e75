"""The verdict in the browser: answer and reason apart, and the answer a finding at a time."""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Locator, Page, expect
from sqlalchemy import select

from db.tables import Verdict
from db.types import Opinion, Reasoning
from db.verdicts import is_current
from review.verdicts import asked
from tests import builders, readings
from tests.builders import OPERATOR
from tests.e2e.conftest import OPEN_MS, drawn
from tests.server import Server, running
from xai_core.model.answer import read_answer, thresholds_of

pytestmark = pytest.mark.e2e

CLASSES = ["effusion", "nodule", "pneumonia", "fibrosis"]
SOME, NONE = [0.83, 0.61, 0.12, 0.3], [0.13, 0.21, 0.007, 0.3]
MANY = [f"finding {number}" for number in range(1, 19)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server without a worker: what the cases hold is up to the tests."""
    with running(tmp_path_factory.mktemp("home")) as started:
        yield started


def findings_case(server: Server, scores: list[float], classes: list[str] = CLASSES) -> int:
    """Store an explained case of a model that asks each class for itself."""
    card = {"name": "findings", "version": "1", "classes": classes, "scores": "sigmoid"}
    answer = read_answer(scores, classes=classes, thresholds=thresholds_of(card))
    with server.ws.begin() as session:
        model = builders.model(session, card=card)
        case = readings.case(session, server.ws.artifacts, synthetic=True)
        prediction = builders.prediction(
            session,
            case,
            model,
            target=answer.target,
            label=classes[answer.target],
            score=scores[answer.target],
            scores=scores,
            answer=answer.label,
            certainty=answer.certainty,
        )
        readings.explain(session, server.ws.artifacts, prediction)
        return case.id


@pytest.fixture
def class_case(server: Server) -> int:
    """An explained case of a model whose classes exclude each other."""
    with server.ws.begin() as session:
        model = builders.model(session)
        return readings.explained_case(session, server.ws.artifacts, model).id


@pytest.fixture
def ask(server: Server) -> Iterator[Callable[[list[str]], None]]:
    """Have the site ask about some findings; afterwards it asks about what a model says again."""
    yield lambda findings: asked.choose(server.ws, findings, by=OPERATOR)
    asked.choose(server.ws, [], by=OPERATOR)


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def signed(page: Page, server: Server, case_id: int) -> Verdict:
    """Wait until the verdict on a case is confirmed, and return it as it stands on record."""
    said = page.get_by_text(re.compile(rf"^Signed: .*, case {case_id}$"))
    expect(said).to_be_visible(timeout=OPEN_MS)
    with server.ws.read() as session:
        of_case = select(Verdict).where(Verdict.case_id == case_id, is_current())
        return session.scalars(of_case).one()


def call(page: Page, finding: str, name: str) -> Locator:
    row = page.get_by_role("radiogroup", name=finding, exact=True)
    return row.get_by_role("radio", name=name)


def test_two_keys_accept_a_class_and_leave_its_reason_unjudged(server, class_case, read):
    page = read(class_case)
    expect(page.locator(".answer")).to_have_text("nodule90 %")
    expect(page.get_by_role("group", name="Findings")).to_be_hidden()
    press(page, "a", "Enter")
    verdict = signed(page, server, class_case)
    assert (verdict.opinion, verdict.findings) == (Opinion.ACCEPT, {})
    assert (verdict.reasoning, verdict.reasons) == (None, [])


def test_a_right_answer_for_a_wrong_reason_takes_three_keys(server, class_case, read):
    page = read(class_case)
    press(page, "a", "4")
    expect(page.get_by_role("radio", name="X Unsound")).to_be_checked()
    press(page, "Enter")
    verdict = signed(page, server, class_case)
    assert (verdict.opinion, verdict.reasoning) == (Opinion.ACCEPT, Reasoning.UNSOUND)
    assert verdict.reasons == ["looks_at_marker"]
    page.goto(f"/review?case={class_case}")
    drawn(page, class_case)
    words = "You signed: Accept; reason unsound: looks at a marker or text."
    expect(page.get_by_text(words)).to_be_visible()


def test_a_reason_is_judged_by_a_key_of_its_own(server, class_case, read):
    page = read(class_case)
    press(page, "s", "u", "Enter")
    verdict = signed(page, server, class_case)
    assert (verdict.opinion, verdict.reasoning) == (Opinion.CANNOT_ASSESS, Reasoning.SOUND)


def test_who_rejects_for_the_reason_alone_is_led_to_accept(class_case, read):
    page = read(class_case)
    press(page, "r", "4")
    expect(page.get_by_text("If only the reason is, accept (A).")).to_be_visible()
    expect(page.get_by_role("button", name="Sign")).to_be_disabled()


def test_two_keys_accept_what_a_model_says_of_its_findings(server, read):
    case_id = findings_case(server, SOME)
    page = read(case_id)
    expect(page.locator(".answer")).to_have_text("effusion83 %nodule61 %")
    press(page, "a")
    expect(call(page, "effusion", "Present")).to_be_checked()
    press(page, "Enter")
    verdict = signed(page, server, case_id)
    assert verdict.opinion is Opinion.ACCEPT
    assert verdict.findings == {"effusion": "present", "nodule": "present"}
    assert verdict.corrected_label is None


def test_no_finding_is_an_answer_and_accepting_it_says_so_of_each(server, read):
    case_id = findings_case(server, NONE)
    page = read(case_id)
    expect(page.locator(".answer")).to_have_text("No finding")
    calm = "highest: fibrosis 30 % (from 50 % it counts as present)"
    expect(page.get_by_text(calm)).to_be_visible()
    press(page, "a", "Enter")
    assert signed(page, server, case_id).findings == dict.fromkeys(CLASSES, "absent")


def test_a_finding_said_otherwise_makes_an_acceptance_a_modification(server, read):
    case_id = findings_case(server, SOME)
    page = read(case_id)
    press(page, "a", "e", "b")
    expect(page.get_by_role("radio", name="M Accept with modification")).to_be_checked()
    expect(page.get_by_text("Accept with modification: nodule absent.")).to_be_visible()
    press(page, "Enter")
    verdict = signed(page, server, case_id)
    assert verdict.opinion is Opinion.MODIFY
    assert verdict.findings == {"effusion": "present", "nodule": "absent"}
    page.goto(f"/review?case={case_id}")
    drawn(page, case_id)
    words = "You signed: Accept with modification: nodule absent."
    expect(page.get_by_text(words)).to_be_visible()


def test_with_shift_a_finding_is_indeterminate_and_no_other_key_is_taken_for_a_command(
    server, read
):
    case_id = findings_case(server, SOME)
    page = read(case_id)
    reject = page.get_by_role("radio", name="R Reject")
    press(page, "e", "r")
    expect(reject).not_to_be_checked()
    press(page, "e")
    page.locator("canvas").first.click()
    press(page, "r")
    expect(reject).to_be_checked()
    press(page, "e", "Shift+A", "m", "Enter")
    verdict = signed(page, server, case_id)
    assert verdict.findings == {"effusion": "indeterminate", "nodule": "present"}


def test_a_finding_that_the_model_missed_is_added_by_its_name_and_taken_away(server, read):
    case_id = findings_case(server, SOME)
    page = read(case_id)
    for name in ("pneu", "fibro"):
        press(page, "l")
        page.keyboard.type(name)
        press(page, "Enter")
    expect(call(page, "pneumonia", "Present")).to_be_checked()
    page.get_by_role("button", name="Say nothing of fibrosis").click()
    press(page, "Enter")
    verdict = signed(page, server, case_id)
    assert verdict.opinion is Opinion.MODIFY
    assert verdict.findings == {"effusion": "present", "nodule": "present", "pneumonia": "present"}


def test_a_name_that_is_half_typed_is_never_signed_without(server, read):
    case_id = findings_case(server, SOME)
    page = read(case_id)
    press(page, "a", "l")
    page.keyboard.type("pneu")
    press(page, "Control+Enter")
    page.get_by_role("button", name="Sign").click(force=True)
    expect(page.get_by_text("A name is half typed")).to_be_visible()
    drawn(page, case_id)
    press(page, "Enter", "Enter")
    assert signed(page, server, case_id).findings["pneumonia"] == "present"


def test_a_corrected_class_that_was_rubbed_out_is_not_signed(server, class_case, read):
    page = read(class_case)
    press(page, "r", "l")
    page.keyboard.type("effu")
    press(page, "Enter", "l", "Delete", "Control+Enter")
    expect(page.get_by_text("A name is half typed")).to_be_visible()
    press(page, "Escape", "1", "Enter")
    verdict = signed(page, server, class_case)
    assert (verdict.corrected_label, verdict.reasons) == (None, ["wrong_finding"])


def test_eighteen_findings_are_reached_by_letters_and_nothing_hides_the_film_or_sign(server, read):
    case_id = findings_case(server, [0.2] * 18, MANY)
    page = read(case_id)
    page.set_viewport_size({"width": 1366, "height": 768})
    press(page, "e")
    findings = page.get_by_role("group", name="Findings")
    for name in (MANY[0], MANY[-1]):
        expect(findings.get_by_text(name, exact=True)).to_be_in_viewport(ratio=0.9)
    press(page, "r")
    expect(call(page, "finding 18", "Present")).to_be_in_viewport(ratio=0.9)
    expect(page.get_by_role("button", name="Sign")).to_be_in_viewport(ratio=1)
    film = page.locator("canvas").first.bounding_box()
    assert film
    assert film["height"] > 280
    scores = page.get_by_role("list", name="Scores").get_by_role("listitem")
    expect(scores).to_have_count(5)
    page.get_by_role("button", name="All 18").click()
    expect(scores).to_have_count(18)
    press(page, "Enter")
    findings = signed(page, server, case_id).findings
    assert findings == dict.fromkeys(MANY, "absent") | {"finding 18": "present"}


def test_what_the_site_asks_about_is_looked_at_before_it_is_signed(server, read, ask):
    case_id = findings_case(server, SOME)
    page = read(case_id)
    press(page, "a", "s")
    ask(["pneumonia", "effusion"])
    press(page, "Enter")
    expect(page.get_by_text("has changed since it was shown")).to_be_visible()
    drawn(page, case_id)
    expect(page.get_by_role("radio", name="S Sound")).to_be_checked()
    expect(page.get_by_text("Say of pneumonia whether it is present")).to_be_visible()
    press(page, "a", "Enter")
    verdict = signed(page, server, case_id)
    assert (verdict.opinion, verdict.reasoning) == (Opinion.ACCEPT, Reasoning.SOUND)
    assert verdict.findings == {"effusion": "present", "nodule": "present", "pneumonia": "absent"}


def test_the_button_says_which_key_signs_where_the_focus_is(class_case, read):
    page = read(class_case)
    key = page.get_by_role("button", name="Sign").locator("kbd")
    expect(key).to_have_text("Enter")
    press(page, "t")
    expect(key).to_have_text("Ctrl Enter")
    press(page, "Escape")
    expect(key).to_have_text("Enter")
    page.get_by_test_id("stTopNav").get_by_role("link", name="Review").focus()
    expect(key).to_be_hidden()
