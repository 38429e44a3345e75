"""Fixtures for tests in the browser: a real server with a worker, and signed-in pages.

A test asks for `browser_page` (the administrator, who may see everything) or opens others with
`open_as(Role.READER)`. A page that logs an error, fails to load something or asks another host for
anything fails its test; a test that fails leaves a picture under test-results/.
"""

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright
from playwright.sync_api import Error as PlaywrightError

from db.types import Role
from review.access import accounts, sessions
from tests import builders
from tests.builders import OPERATOR
from tests.server import ROOT, Server, running
from ui.http.cookies import SESSION_COOKIE

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
VIEWPORT = {"width": 1500, "height": 950}
OPEN_MS = 45_000
PATIENCE_MS = 15_000  # on a machine that others use; what is there is seen at once
PICTURES = ROOT / "test-results"
# On a page below the root, Streamlit first looks for its server beside that page.
HARMLESS = re.compile(r"/\w+/_stcore/(health|host-config)$")
# A page whose session has ended may still ask for a font that it has not shown before.
REFUSED, FONT = "401 (Unauthorized)", re.compile(r"/static/media/[^/]+\.woff2$")

OpenAs = Callable[[Role], Page]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The system's Chromium, or Playwright's own where there is none."""
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        path = CHROMIUM if CHROMIUM.exists() else None
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with one worker over a home of its own, shared by the tests of one module."""
    with running(tmp_path_factory.mktemp("home"), n_workers=1) as started:
        yield started


@pytest.fixture
def new_page(
    chromium: Browser, server: Server, request: pytest.FixtureRequest
) -> Iterator[Callable[[], Page]]:
    """Open pages that nobody is signed in to, each with cookies of its own; they are checked."""
    pages: list[Page] = []
    faults: list[str] = []

    def open_page() -> Page:
        context = chromium.new_context(viewport=VIEWPORT, base_url=server.url)
        page = context.new_page()
        page.on("console", lambda message: faults.extend(_faults(message)))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda asked: faults.extend(_outside(asked.url, server.url)))
        pages.append(page)
        return page

    yield open_page
    failed = getattr(request.node, "failed_in_call", False)
    for number, page in enumerate(pages):
        if failed or faults:
            _picture(page, f"{request.node.name}-{number}")
        page.context.close()
    if failed or faults:
        sys.stderr.writelines(["The server said:\n", *server.lines[-60:]])
    assert not faults, "\n".join(faults)


@pytest.fixture
def open_as(new_page: Callable[[], Page], server: Server) -> OpenAs:
    """Open a page signed in as a new account of a role: `open_as(Role.READER)`."""

    def sign_in(role: Role) -> Page:
        n_accounts = len(accounts.list_accounts(server.ws, by=OPERATOR))
        name = f"{role}-{n_accounts}"
        account = accounts.create_account(
            server.ws,
            name,
            role=role,
            display_name=f"{role.capitalize()} {n_accounts}",
            by=OPERATOR,
        )
        return enter(new_page(), server.link_for(account))

    return sign_in


@pytest.fixture
def browser_page(new_page: Callable[[], Page], server: Server) -> Page:
    """A page signed in as the administrator, at the worklist."""
    return enter(new_page(), server.link_for())


@pytest.fixture
def read(new_page: Callable[[], Page], server: Server) -> Callable[..., Page]:
    """Open a case and wait until it is drawn: `read(17)`, `read(17, Role.ENGINEER)`."""

    def open_case(case_id: int, role: Role = Role.READER, **query: object) -> Page:
        page = new_page()
        with server.ws.begin() as session:
            account_id = builders.account(session, role).id
        token = sessions.redeem_link(
            server.ws, accounts.issue_link(server.ws, account_id, by=OPERATOR)
        )
        page.context.add_cookies([{"name": SESSION_COOKIE, "value": token, "url": server.url}])
        filters = "".join(f"&{key}={value}" for key, value in query.items())
        page.goto(f"/review?case={case_id}{filters}")
        drawn(page, case_id)
        return page

    return open_case


def enter(page: Page, link: str) -> Page:
    """Follow a sign-in link, say yes by the keyboard and wait for the menu."""
    page.goto(link)
    page.locator("button:focus").press("Enter")
    page.get_by_test_id("stTopNav").wait_for()
    return page


def drawn(page: Page, case_id: int) -> None:
    """Wait until a case is on screen."""
    page.locator(f'.reader[data-drawn="{case_id}"]').wait_for(timeout=OPEN_MS)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    """Tell the fixtures whether the test failed, so that they leave a picture."""
    report = yield
    if call.when == "call":
        item.failed_in_call = report.failed
    return report


def _faults(message: ConsoleMessage) -> list[str]:
    address = message.location.get("url", "")
    is_late_font = REFUSED in message.text and FONT.search(address)
    if message.type != "error" or HARMLESS.search(address) or is_late_font:
        return []
    return [f"console: {message.text} ({address})"]


def _outside(asked: str, ours: str) -> list[str]:
    return [] if asked.startswith((ours, "data:", "blob:")) else [f"asked another host: {asked}"]


def _picture(page: Page, name: str) -> None:
    PICTURES.mkdir(exist_ok=True)
    file_name = re.sub(r"[^\w-]+", "-", name) + ".png"
    try:
        page.screenshot(path=PICTURES / file_name)
    except PlaywrightError:
        return
