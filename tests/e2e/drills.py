"""What the drills of the review page share: a line that can be cut, readers, and what is said."""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from sqlalchemy import select

from db.tables import Draft, Verdict
from db.types import Opinion, Role
from review.access import accounts, sessions
from tests import builders, readings
from tests.builders import OPERATOR
from tests.cut_line import Line, line_to
from tests.e2e.conftest import OPEN_MS, VIEWPORT, drawn
from tests.server import Server, running
from ui.http.cookies import SESSION_COOKIE

RECONNECT_MS = 60_000  # Streamlit asks ever more seldom
PATIENCE_S = 30
FRAME = "() => new Promise(requestAnimationFrame)"
BEFORE, AFTER = "drawn to ", "the rib"
OFFLINE = "Offline. Nothing is lost; trying again."


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
def cases(server: Server) -> list[int]:
    """Two explained cases of this test's own."""
    with server.ws.begin() as session:
        model = builders.model(session)
        store = server.ws.artifacts
        found = [readings.explained_case(session, store, model, synthetic=True) for _ in range(2)]
        return [case.id for case in found]


@pytest.fixture
def case_id(cases: list[int]) -> int:
    """An explained case with another after it."""
    return cases[0]


@pytest.fixture
def reader_id(server: Server) -> int:
    """A reader."""
    return new_reader(server)


@dataclass
class Desk:
    """Opens browsers, each with cookies and a storage of its own, at the near end of the line.

    What pages log is not checked: a line that is cut makes the browser complain.
    """

    chromium: Browser
    server: Server
    line: Line
    contexts: list[BrowserContext]

    def browser(self, reader_id: int) -> BrowserContext:
        """Open a browser, with a reader signed in."""
        context = self.chromium.new_context(viewport=VIEWPORT, base_url=self.line.url)
        self.contexts.append(context)
        self.sign_in(context, reader_id)
        return context

    def sign_in(self, context: BrowserContext, reader_id: int) -> None:
        """Give a browser a reader's session, instead of the one that it had."""
        link = accounts.issue_link(self.server.ws, reader_id, by=OPERATOR)
        token = sessions.redeem_link(self.server.ws, link)
        cookie = {"name": SESSION_COOKIE, "value": token, "url": self.line.url}
        context.add_cookies([cookie | {"sameSite": "Strict", "httpOnly": True}])

    def read(self, context: BrowserContext, case_id: int) -> Page:
        """Open a case in a new tab."""
        page = context.new_page()
        page.goto(f"/review?case={case_id}")
        drawn(page, case_id)
        return page


@pytest.fixture
def desk(chromium: Browser, server: Server, line: Line) -> Iterator[Desk]:
    """What opens browsers; they are closed at the end."""
    opens = Desk(chromium, server, line, [])
    yield opens
    for context in opens.contexts:
        context.close()


@pytest.fixture
def page(desk: Desk, case_id: int, reader_id: int) -> Page:
    """The case as a reader sees it through the line, rejected and with half a comment typed."""
    opened = desk.read(desk.browser(reader_id), case_id)
    reject(opened, BEFORE)
    return opened


def new_reader(server: Server) -> int:
    with server.ws.begin() as session:
        return builders.account(session, Role.READER).id


def reject(page: Page, comment: str) -> None:
    """Enter a rejection, and leave the focus at the end of its comment."""
    for key in ("r", "1", "t"):
        page.keyboard.press(key)
    page.keyboard.type(comment)


def until(page: Page, holds: Callable[[], bool]) -> None:
    """Wait until something holds that no page shows."""
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end, "it never held"
        page.evaluate(FRAME)


def verdicts(server: Server, case_id: int) -> list[tuple[Opinion, str]]:
    with server.ws.read() as session:
        of_case = select(Verdict).where(Verdict.case_id == case_id).order_by(Verdict.id)
        return [(verdict.opinion, verdict.comment) for verdict in session.scalars(of_case)]


def draft_comments(server: Server, reader_id: int) -> list[str]:
    """Return the comments of a reader's drafts on the server."""
    with server.ws.read() as session:
        own = select(Draft).where(Draft.account_id == reader_id)
        return [draft.content["comment"] for draft in session.scalars(own)]


def cut(page: Page, line: Line) -> None:
    """Cut the line and wait until the page says so."""
    line.cut()
    expect(banner(page)).to_contain_text("Offline.", timeout=RECONNECT_MS)


def mend(page: Page, line: Line) -> None:
    line.mend()
    connected = page.locator("[data-test-connection-state=CONNECTED]")
    connected.wait_for(timeout=RECONNECT_MS)
    expect(banner(page)).not_to_contain_text("Offline.")


def banner(page: Page):
    return page.locator(".line-banner")


def shows(page: Page, comment: str) -> None:
    """The rejection stands on screen as it was meant."""
    expect(page.get_by_label("Comment")).to_have_value(comment, timeout=OPEN_MS)
    expect(page.get_by_role("radio", name="R Reject", exact=True)).to_be_checked()


def is_unsigned(page: Page, server: Server, case_id: int, comment: str) -> None:
    """The verdict stands on screen as it was meant, and nothing of it was sent."""
    shows(page, comment)
    expect(page.get_by_text(re.compile("^Signing: "))).to_have_count(0)
    drawn(page, case_id)
    assert verdicts(server, case_id) == []


def says_signed(page: Page, case_id: int) -> None:
    said = page.get_by_text(f"Signed: Reject, case {case_id}", exact=True)
    expect(said).to_be_visible(timeout=OPEN_MS)


def signs_once(page: Page, server: Server, case_id: int, comment: str) -> None:
    page.keyboard.press("Control+Enter")
    says_signed(page, case_id)
    assert verdicts(server, case_id) == [(Opinion.REJECT, comment.strip())]
