"""Verdicts that were signed while the line broke: signed once, by whoever gave them, or said."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Page, expect

from db.tables import Case
from db.types import Opinion
from review.cases import reading
from review.verdicts import sign
from tests.cut_line import Line
from tests.e2e.conftest import OPEN_MS, drawn
from tests.e2e.drills import (
    BEFORE,
    banner,
    case_id,
    cases,
    cut,
    desk,
    draft_comments,
    line,
    mend,
    new_reader,
    page,
    reader_id,
    says_signed,
    server,
    shows,
    signs_once,
    until,
    verdicts,
)

__all__ = ["case_id", "cases", "desk", "line", "page", "reader_id", "server"]  # fixtures
pytestmark = pytest.mark.e2e

WAITING = "1 verdict waiting to be sent."
SIGNED = [(Opinion.REJECT, BEFORE.strip())]


def press_sign(page: Page) -> None:
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Signing: Reject")).to_be_visible()


def lost_before(page: Page, line: Line, signed: Callable[[], bool]) -> None:
    """The line breaks before the verdict has reached the server."""
    line.swallow()
    press_sign(page)
    assert not signed()


def lost_after(page: Page, line: Line, signed: Callable[[], bool]) -> None:
    """The line breaks when the server has signed and has not answered."""
    line.swallow_answers()
    press_sign(page)
    until(page, signed)


LOST = pytest.mark.parametrize("lose", [lost_before, lost_after])


@pytest.fixture
def lost(page, line, server, case_id):
    """Sign, and lose the line before or after it has reached the server; it is said to wait."""

    def lose_by(lose: Callable[[Page, Line, Callable[[], bool]], None]) -> None:
        lose(page, line, lambda: bool(verdicts(server, case_id)))
        cut(page, line)
        said = banner(page).get_by_role("status").first
        expect(said).to_have_text(f"Offline. Nothing is lost; trying again. {WAITING}")

    return lose_by


def said_to_have_waited(page: Page, case_id: int) -> None:
    said = f"Signed: Reject, case {case_id}, which had waited to be sent."
    expect(banner(page)).to_contain_text(said, timeout=OPEN_MS)
    expect(banner(page)).not_to_contain_text(WAITING)


@LOST
def test_it_is_signed_once_when_the_line_is_back(lost, page, line, server, case_id, lose):
    lost(lose)
    mend(page, line)
    says_signed(page, case_id)
    assert verdicts(server, case_id) == SIGNED
    expect(banner(page)).to_be_hidden()


@LOST
def test_it_is_signed_once_after_a_reload(lost, page, line, server, case_id, lose):
    lost(lose)
    line.mend()
    page.goto(f"/review?case={case_id}")
    said_to_have_waited(page, case_id)
    assert verdicts(server, case_id) == SIGNED
    expect(page.get_by_text("You signed: Reject.")).to_be_visible()
    expect(page.get_by_text("not signed")).to_have_count(0)
    expect(page.get_by_role("button", name="Amend")).to_be_disabled()
    page.keyboard.press("Enter")
    page.reload()
    drawn(page, case_id)
    assert verdicts(server, case_id) == SIGNED
    expect(banner(page)).to_be_hidden()


@LOST
def test_it_is_signed_once_in_a_tab_that_is_opened_after_the_first_was_closed(
    lost, page, line, server, case_id, lose
):
    lost(lose)
    context = page.context
    page.close()
    line.mend()
    other = context.new_page()
    other.goto("/")
    said_to_have_waited(other, case_id)
    assert verdicts(server, case_id) == SIGNED


def test_a_reload_while_it_waits_and_the_line_is_down_loses_nothing(
    lost, page, line, server, case_id
):
    lost(lost_before)
    with pytest.raises(PlaywrightError, match="ERR_"):
        page.reload()
    other = page.context.new_page()
    page.close()
    line.mend()
    other.goto("/help")
    said_to_have_waited(other, case_id)
    assert verdicts(server, case_id) == SIGNED


def test_with_another_case_open_it_is_signed_and_said(lost, page, line, server, cases):
    lost(lost_before)
    line.mend()
    page.goto(f"/review?case={cases[1]}")
    drawn(page, cases[1])
    said_to_have_waited(page, cases[0])
    assert verdicts(server, cases[0]) == SIGNED
    assert verdicts(server, cases[1]) == []
    expect(page.get_by_role("radio", name="R Reject", exact=True)).not_to_be_checked()


def test_where_the_case_has_changed_it_is_not_signed_but_a_draft_again_and_that_is_said(
    lost, page, line, server, case_id
):
    lost(lost_before)
    with server.ws.begin() as session:
        session.get_one(Case, case_id).window_high = 200.0
    line.mend()
    page.goto(f"/review?case={case_id}")
    said = f"Not signed: Reject, case {case_id}. Case {case_id}, or what is asked about it,"
    expect(banner(page)).to_contain_text(said, timeout=OPEN_MS)
    shows(page, BEFORE)
    assert verdicts(server, case_id) == []
    drawn(page, case_id)
    page.keyboard.press("t")
    signs_once(page, server, case_id, BEFORE.strip())


def test_it_is_never_signed_under_another_name_and_not_lost_for_its_owner(
    lost, desk, page, line, server, case_id, reader_id
):
    lost(lost_before)
    context = page.context
    page.close()
    line.mend()
    desk.sign_in(context, new_reader(server))
    other = desk.read(context, case_id)
    expect(other.get_by_label("Comment")).to_have_value("")
    expect(banner(other)).to_be_hidden()
    assert verdicts(server, case_id) == []
    other.close()

    desk.sign_in(context, reader_id)
    back = context.new_page()
    back.goto("/")
    said_to_have_waited(back, case_id)
    with server.ws.read() as session:
        (standing,) = reading.open_case(server.ws, case_id, reader_id=reader_id).verdicts
        assert standing.opinion is Opinion.REJECT
        assert session.is_active


def test_a_tab_whose_browser_has_another_reader_by_now_signs_nothing_as_theirs(
    lost, desk, page, line, server, case_id
):
    lost(lost_before)
    desk.sign_in(page.context, new_reader(server))
    mend(page, line)
    drawn(page, case_id)
    expect(page.get_by_label("Comment")).to_have_value("")
    assert verdicts(server, case_id) == []


def test_signing_out_leaves_what_could_not_be_sent_and_no_draft(
    lost, desk, page, line, server, case_id, reader_id
):
    page.route("**/api/verdict", lambda route: route.abort())
    lost(lost_before)
    line.mend()
    page.goto(f"/review?case={case_id}")
    expect(banner(page)).to_contain_text(WAITING, timeout=OPEN_MS)
    drawn(page, case_id)
    expect(page.get_by_text("Your verdict waits to be sent.")).to_be_visible()
    expect(page.get_by_text("not signed")).to_have_count(0)
    page.evaluate("() => sessionStorage.setItem('second-look/draft/1/1/1', '{}')")
    page.goto("/sign-out")
    expect(page.get_by_text("it waits in this browser until its reader")).to_be_visible()
    page.unroute("**/api/verdict")
    desk.sign_in(page.context, reader_id)
    page.goto("/")
    said_to_have_waited(page, case_id)
    assert verdicts(server, case_id) == SIGNED
    page.goto("/sign-out")
    assert page.evaluate("() => [localStorage.length, sessionStorage.length]") == [0, 0]


# --- two tabs ---------------------------------------------------------------------------------


def test_the_second_tab_says_what_was_signed_in_the_first_before_it_supersedes_it(
    desk, page, server, case_id, reader_id
):
    until(page, lambda: draft_comments(server, reader_id) == [BEFORE])
    second = desk.read(page.context, case_id)
    second.keyboard.press("a")
    signs_once(page, server, case_id, BEFORE.strip())

    second.keyboard.press("Enter")
    said = second.get_by_text("You signed Reject at")
    expect(said).to_contain_text("in another window or browser: nothing was signed now")
    expect(second.get_by_role("radio", name="A Accept", exact=True)).to_be_checked()
    expect(second.get_by_text("You signed: Reject.")).to_be_visible()
    drawn(second, case_id)
    assert verdicts(server, case_id) == SIGNED
    expect(second.get_by_role("button", name="Amend")).to_be_enabled()
    second.keyboard.press("Enter")
    signed = second.get_by_text(f"Signed: Accept, case {case_id}", exact=True)
    expect(signed).to_be_visible(timeout=OPEN_MS)
    assert verdicts(server, case_id) == [*SIGNED, (Opinion.ACCEPT, BEFORE.strip())]
    history = sign.history(server.ws, case_id, by=1)
    assert [verdict.current for verdict in history] == [False, True]


def test_a_draft_of_what_the_first_tab_signed_is_none_any_more_in_the_second(
    desk, page, server, case_id, reader_id
):
    until(page, lambda: draft_comments(server, reader_id) == [BEFORE])
    second = desk.read(page.context, case_id)
    expect(second.get_by_text("not signed")).to_be_visible()
    second.get_by_label("Comment").fill(BEFORE.strip())
    signs_once(page, server, case_id, BEFORE.strip())
    second.get_by_label("Comment").press("Control+Enter")
    expect(second.get_by_text("You signed: Reject.")).to_be_visible()
    expect(second.get_by_text("not signed")).to_have_count(0)
    expect(second.get_by_role("button", name="Amend")).to_be_disabled()


def test_ones_own_verdict_opens_filled_in_and_is_signed_again_only_when_something_differs(
    desk, page, server, case_id
):
    signs_once(page, server, case_id, BEFORE.strip())
    again = desk.read(page.context, case_id)
    shows(again, BEFORE.strip())
    amend = again.get_by_role("button", name="Amend")
    expect(amend).to_be_disabled()
    expect(again.get_by_text("Signed. Change something to amend it.")).to_be_visible()
    again.keyboard.press("Enter")
    again.keyboard.press("t")
    again.keyboard.press("End")
    again.keyboard.type("!")
    expect(amend).to_be_enabled()
    again.keyboard.press("Backspace")
    expect(amend).to_be_disabled()
    again.keyboard.type(", twice")
    again.keyboard.press("Control+Enter")
    says_signed(again, case_id)
    assert verdicts(server, case_id) == [*SIGNED, (Opinion.REJECT, "drawn to, twice")]
