"""The review page while the line to the server is cut: no verdict by accident, nothing lost."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import select

from db.tables import Verdict
from db.types import Opinion, Role
from review.access import accounts, sessions
from tests import builders, readings
from tests.builders import OPERATOR
from tests.cut_line import Line, line_to
from tests.e2e.conftest import OPEN_MS, VIEWPORT, drawn
from tests.server import Server, running
from ui.http.cookies import SESSION_COOKIE

pytestmark = pytest.mark.e2e

RECONNECT_MS = 60_000  # Streamlit asks ever more seldom
BEFORE, DURING, AFTER = "drawn to ", "a vessel", "the rib"
CARET = "area => [area.selectionStart, area.selectionEnd]"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server without a worker: what the cases hold is up to the tests."""
    with running(tmp_path_factory.mktemp("home")) as started:
        yield started


@pytest.fixture
def line(server: Server) -> Iterator[Line]:
    """A line to the server that can be cut."""
    with line_to(server.netloc) as up:
        yield up


@pytest.fixture
def case_id(server: Server) -> int:
    """An explained case of this test's own, with another after it."""
    with server.ws.begin() as session:
        model = builders.model(session)
        first, _ = [
            readings.explained_case(session, server.ws.artifacts, model, synthetic=True)
            for _ in range(2)
        ]
        return first.id


@pytest.fixture
def page(chromium: Browser, server: Server, line: Line, case_id: int) -> Iterator[Page]:
    """The case as a reader sees it through the line, rejected and with half a comment typed.

    What it logs is not checked: a line that is cut makes the browser complain.
    """
    with server.ws.begin() as session:
        reader_id = builders.account(session, Role.READER).id
    link = accounts.issue_link(server.ws, reader_id, by=OPERATOR)
    token = sessions.redeem_link(server.ws, link)
    context = chromium.new_context(viewport=VIEWPORT, base_url=line.url)
    context.add_cookies([{"name": SESSION_COOKIE, "value": token, "url": line.url}])
    opened = context.new_page()
    opened.goto(f"/review?case={case_id}")
    drawn(opened, case_id)
    for key in ("r", "1", "t"):
        opened.keyboard.press(key)
    opened.keyboard.type(BEFORE)
    yield opened
    context.close()


def verdicts(server: Server, case_id: int) -> list[tuple[Opinion, str]]:
    with server.ws.read() as session:
        of_case = select(Verdict).where(Verdict.case_id == case_id)
        return [(verdict.opinion, verdict.comment) for verdict in session.scalars(of_case)]


def cut(page: Page, line: Line) -> None:
    """Cut the line and wait until the framework's window has the focus."""
    line.cut()
    window = page.get_by_role("dialog")
    expect(window.get_by_text("Connection error")).to_be_visible(timeout=RECONNECT_MS)
    expect(window).to_be_focused()


def mend(page: Page, line: Line) -> None:
    line.mend()
    connected = page.locator("[data-test-connection-state=CONNECTED]")
    connected.wait_for(timeout=RECONNECT_MS)
    expect(page.get_by_role("dialog")).to_have_count(0)


def is_unsigned(page: Page, server: Server, case_id: int, comment: str) -> None:
    """The verdict stands on screen as it was meant, and nothing of it was sent."""
    expect(page.get_by_label("Comment")).to_have_value(comment)
    expect(page.get_by_role("radio", name="R Reject", exact=True)).to_be_checked()
    expect(page.get_by_text(re.compile("^Signing: "))).to_have_count(0)
    drawn(page, case_id)
    assert verdicts(server, case_id) == []


def signs_once(page: Page, server: Server, case_id: int, comment: str) -> None:
    page.keyboard.press("Control+Enter")
    said = page.get_by_text(f"Signed: Reject, case {case_id}", exact=True)
    expect(said).to_be_visible(timeout=OPEN_MS)
    assert verdicts(server, case_id) == [(Opinion.REJECT, comment)]


def test_what_is_typed_into_the_window_of_a_cut_line_is_no_command(page, line, server, case_id):
    cut(page, line)
    page.keyboard.type(DURING)
    page.keyboard.press("Control+Enter")
    is_unsigned(page, server, case_id, BEFORE)

    mend(page, line)
    comment = page.get_by_label("Comment")
    expect(comment).to_be_focused()
    assert comment.evaluate(CARET) == [len(BEFORE)] * 2
    is_unsigned(page, server, case_id, BEFORE)
    page.keyboard.type(AFTER)
    signs_once(page, server, case_id, BEFORE + AFTER)


def test_with_the_window_closed_the_comment_goes_on_but_no_key_signs_without_a_line(
    page, line, server, case_id
):
    cut(page, line)
    page.get_by_role("dialog").get_by_role("button", name="Close").click()
    expect(page.get_by_label("Comment")).to_be_focused()
    page.keyboard.type(DURING)
    page.keyboard.press("Control+Enter")
    is_unsigned(page, server, case_id, BEFORE + DURING)

    mend(page, line)
    is_unsigned(page, server, case_id, BEFORE + DURING)
    signs_once(page, server, case_id, BEFORE + DURING)


def test_a_half_typed_verdict_outlives_a_cut_line_and_a_reload(page, line, server, case_id):
    cut(page, line)
    mend(page, line)
    page.reload()
    is_unsigned(page, server, case_id, BEFORE)
    page.keyboard.press("t")
    page.keyboard.type(AFTER)
    signs_once(page, server, case_id, BEFORE + AFTER)
