"""Drafts on the server: offered again elsewhere, to the reader alone, and never signed."""

import re

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from db.tables import Draft, Explanation, Prediction
from tests import readings
from tests.e2e.conftest import OPEN_MS, drawn
from tests.e2e.drills import (
    AFTER,
    BEFORE,
    case_id,
    cases,
    cut,
    desk,
    draft_comments,
    is_unsigned,
    line,
    mend,
    new_reader,
    page,
    reader_id,
    reject,
    server,
    shows,
    signs_once,
    until,
)

__all__ = ["case_id", "cases", "desk", "line", "page", "reader_id", "server"]  # fixtures
pytestmark = pytest.mark.e2e

OFFERED = re.compile(r"^Draft from \d\d:\d\d, not signed\.")


@pytest.fixture
def saved(page, server, reader_id) -> Page:
    """The half-typed verdict, which the server has."""
    until(page, lambda: draft_comments(server, reader_id) == [BEFORE])
    return page


def offered(page: Page, comment: str) -> None:
    expect(page.get_by_text(OFFERED)).to_be_visible()
    shows(page, comment)


def test_a_draft_is_offered_in_another_browser_and_signs_nothing(
    saved, desk, server, case_id, reader_id
):
    other = desk.read(desk.browser(reader_id), case_id)
    offered(other, BEFORE)
    is_unsigned(other, server, case_id, BEFORE)
    other.keyboard.press("t")
    signs_once(other, server, case_id, BEFORE.strip())
    assert draft_comments(server, reader_id) == []


def test_a_draft_is_offered_after_its_tab_was_closed(page, desk, server, case_id, reader_id):
    context = page.context
    page.close()
    other = context.new_page()
    other.goto("/help")
    until(other, lambda: draft_comments(server, reader_id) == [BEFORE])
    other.goto(f"/review?case={case_id}")
    drawn(other, case_id)
    offered(other, BEFORE)


def test_a_discarded_draft_is_gone_here_and_there(saved, desk, server, case_id, reader_id):
    other = desk.read(desk.browser(reader_id), case_id)
    other.get_by_role("button", name="Discard").click()
    expect(other.get_by_label("Comment")).to_have_value("")
    until(other, lambda: draft_comments(server, reader_id) == [])
    other.reload()
    drawn(other, case_id)
    expect(other.get_by_label("Comment")).to_have_value("")
    expect(other.get_by_text(OFFERED)).to_have_count(0)


def test_another_reader_never_sees_it(saved, desk, server, case_id):
    other = desk.read(desk.browser(new_reader(server)), case_id)
    expect(other.get_by_text(OFFERED)).to_have_count(0)
    expect(other.get_by_label("Comment")).to_have_value("")


def test_of_two_windows_neither_overwrites_the_other_unseen(
    saved, desk, server, case_id, reader_id
):
    second = desk.read(desk.browser(reader_id), case_id)
    offered(second, BEFORE)
    second.keyboard.press("t")
    second.keyboard.press("End")
    second.keyboard.type(AFTER)
    until(second, lambda: draft_comments(server, reader_id) == [BEFORE + AFTER])

    saved.keyboard.type("mine")
    said = saved.get_by_text(re.compile(r"^Another window saved a draft at \d\d:\d\d\."))
    expect(said).to_be_visible()
    shows(saved, BEFORE + "mine")
    assert draft_comments(server, reader_id) == [BEFORE + AFTER]
    saved.get_by_role("button", name="Use that").click()
    shows(saved, BEFORE + AFTER)

    saved.get_by_label("Comment").fill("mine")
    until(saved, lambda: draft_comments(server, reader_id) == ["mine"])
    second.get_by_label("Comment").fill("theirs")
    second.get_by_role("button", name="Keep this").click()
    until(second, lambda: draft_comments(server, reader_id) == ["theirs"])
    shows(second, "theirs")


def test_what_is_typed_without_a_line_is_on_the_server_when_it_is_back(
    saved, line, server, reader_id
):
    cut(saved, line)
    saved.keyboard.type(AFTER)
    assert draft_comments(server, reader_id) == [BEFORE]
    mend(saved, line)
    until(saved, lambda: draft_comments(server, reader_id) == [BEFORE + AFTER])


def test_judgements_of_maps_that_are_gone_are_left_out_and_that_is_said(
    page, desk, server, case_id, reader_id
):
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("o")

    def judged() -> int:
        with server.ws.read() as session:
            return sum(len(draft.content["plausibility"]) for draft in session.query(Draft))

    until(page, lambda: judged() == 2)
    with server.ws.begin() as session:
        of_case = Prediction.id == Explanation.prediction_id, Prediction.case_id == case_id
        maps = select(Explanation).join(Prediction, of_case[0]).where(of_case[1])
        made = session.scalars(maps.where(Explanation.method == "occlusion")).one()
        image = readings.npy(readings.spot(12, 12))
        made.artifact_sha256 = server.ws.artifacts.put(
            session, image, media_type="application/x-npy"
        )
    other = desk.read(desk.browser(reader_id), case_id)
    expect(other.get_by_text("A judgement of a map that is gone was left out.")).to_be_visible()


# --- leaving ----------------------------------------------------------------------------------

LEAVE = "() => { setTimeout(() => location.reload()) }"


def test_leaving_with_something_unsigned_is_asked_about(page, server, case_id):
    with page.expect_event("dialog") as asked:
        page.evaluate(LEAVE)
    assert asked.value.type == "beforeunload"
    asked.value.dismiss()
    is_unsigned(page, server, case_id, BEFORE)


def test_leaving_with_nothing_unsigned_is_not(page, server, case_id, reader_id):
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    page.get_by_label("Comment").fill("")
    page.get_by_label("Comment").blur()
    page.keyboard.press("r")
    until(page, lambda: draft_comments(server, reader_id) == [])
    page.reload()
    drawn(page, case_id)
    assert asked == []
    reject(page, BEFORE)
    signs_once(page, server, case_id, BEFORE.strip())
    page.reload(timeout=OPEN_MS)
    assert asked == []
