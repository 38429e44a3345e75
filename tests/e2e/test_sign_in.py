from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from playwright.sync_api import Page, expect

from db.tables import WebSession
from db.types import Role, now
from review.access import accounts, sessions
from review.access.tokens import token_sha256
from tests.builders import OPERATOR
from tests.e2e.conftest import enter
from tests.server import Server

pytestmark = pytest.mark.e2e
PASSWORD = "correct horse battery"


def test_the_printed_link_opens_the_worklist_with_the_keyboard_alone(new_page, server):
    page = enter(new_page(), server.link)
    expect(page).to_have_url(f"{server.url}/")
    expect(page.get_by_test_id("stTopNavLink").first).to_have_text("Worklist")


@pytest.fixture
def other_site() -> Iterator[Callable[[str], str]]:
    """A site on another host, as the browser sees it, that serves what it is given."""
    served = {"/": ""}

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(served["/"].encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as site:
        Thread(target=site.serve_forever).start()

        def serve(page: str) -> str:
            served["/"] = page
            return f"http://localhost:{site.server_port}/"

        yield serve
        site.shutdown()


def forged(server, path: str, **fields: str) -> str:
    inputs = "".join(f'<input name="{name}" value="{value}">' for name, value in fields.items())
    return f'<form method="post" action="{server.url}{path}">{inputs}<button>Win</button></form>'


@pytest.mark.parametrize("sandboxed", [False, True])
@pytest.mark.parametrize("path", ["/sign-in", "/sign-in/link"])
def test_another_site_signs_nobody_in(chromium, server, other_site, path, sandboxed):
    name = f"eve{path.count('/')}{sandboxed:d}"
    eve = accounts.create_account(server.ws, name, role=Role.READER, password=PASSWORD, by=OPERATOR)
    token = server.link_for(eve).split("token=")[1]
    form = forged(server, path, name=name, password=PASSWORD, token=token)
    if sandboxed:
        form = f"<iframe sandbox='allow-forms allow-top-navigation' srcdoc='{form}'></iframe>"
        form = form.replace("<form", '<form target="_top"')
    page = chromium.new_page()
    page.goto(other_site(form))
    button = (page.frame_locator("iframe") if sandboxed else page).get_by_role("button")
    with page.expect_response(f"{server.url}{path}") as answer:
        button.click()
    assert answer.value.status == 403
    assert page.context.cookies(server.url) == []
    assert sessions.redeem_link(server.ws, token)  # nor is the link used up
    page.close()


def test_a_link_opened_from_another_site_knows_who_is_signed_in(
    open_as, chromium, server, other_site
):
    page = open_as(Role.READER)
    context = page.context
    webmail = context.new_page()
    webmail.goto(other_site(f'<a href="{server.link_for()}">Sign in</a>'))
    webmail.get_by_role("link").click()
    expect(webmail.get_by_role("alert")).to_contain_text("You are signed in as Reader")
    expect(webmail.get_by_role("button", name="Sign in as Administrator")).to_be_focused()
    webmail.keyboard.press("Enter")
    webmail.get_by_test_id("stTopNav").wait_for()
    menus = webmail.get_by_test_id("stTopNavSection")
    expect(menus.filter(has_text="Administrator")).to_be_visible()
    webmail.close()


def test_a_link_in_two_tabs_signs_in_once(new_page, server):
    link = server.link_for()
    first = new_page()
    second = first.context.new_page()
    for page in (first, second):
        page.goto(link)
    first.locator("button:focus").press("Enter")
    first.get_by_test_id("stTopNav").wait_for()
    second.locator("button:focus").press("Enter")
    expect(second).to_have_url(f"{server.url}/")  # signed in, by the first tab's cookie
    second.close()


def idle_for(server: Server, page: Page, minutes: int) -> None:
    """Let whoever is signed in on a page have been idle, and the page look."""
    page.locator(".line-banner").wait_for(state="attached")  # the last script to be loaded
    with server.ws.begin() as session:
        sha256 = token_sha256(page.context.cookies()[0]["value"])
        session.get_one(WebSession, sha256).last_seen_at = now() - timedelta(minutes=minutes)
    page.evaluate("window.dispatchEvent(new Event('focus'))")


def test_whoever_is_about_to_be_signed_out_is_warned_and_a_key_keeps_them_in(open_as, server):
    page = open_as(Role.READER)
    idle_for(server, page, 59)
    warning = page.locator(".session-warning")
    expect(warning).to_contain_text("You will be signed out at")
    expect(warning.get_by_role("button", name="Stay signed in")).to_be_visible()
    page.evaluate("window.dispatchEvent(new KeyboardEvent('keydown', { key: 'x' }))")  # no hand
    expect(warning).to_be_visible()
    page.keyboard.press("Shift")
    expect(warning).to_be_hidden()
    told = page.evaluate("fetch('/api/session').then((reply) => reply.json())")
    assert told["seconds"] > 3500


def test_whoever_was_idle_too_long_is_told_that_the_session_has_ended(open_as, server):
    page = open_as(Role.READER)
    idle_for(server, page, 61)
    expect(page.get_by_role("alert")).to_contain_text("Your session has ended")


def test_a_deep_link_shows_nothing_before_and_is_reached_after_signing_in(new_page, server):
    accounts.create_account(server.ws, "ada", role=Role.READER, password=PASSWORD, by=OPERATOR)
    page = new_page()
    page.goto("/help")
    expect(page.locator("body")).not_to_contain_text("heatmap")
    expect(page.get_by_label("Name")).to_be_focused()
    page.keyboard.type("ada")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{server.url}/help")
    expect(page.get_by_test_id("stMain")).to_contain_text("heatmap")


def test_signing_out_closes_the_way_back(open_as):
    page = open_as(Role.READER)
    page.get_by_test_id("stTopNavSection").filter(has_text="Reader").click()
    page.get_by_text("Sign out").click()
    expect(page.get_by_role("alert")).to_have_text("You are signed out.")
    page.go_back()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()


def test_a_page_leaves_the_screen_when_its_session_ends_elsewhere(open_as, server):
    page = open_as(Role.READER)
    page.goto("/help")
    page.get_by_test_id("stTopNav").wait_for()
    page.locator(".line-banner").wait_for(state="attached")  # the last script to be loaded
    newest = max(accounts.list_accounts(server.ws, by=OPERATOR), key=lambda each: each.id)
    accounts.deactivate(server.ws, newest.id, by=OPERATOR)
    page.evaluate("window.dispatchEvent(new Event('focus'))")
    expect(page.get_by_role("alert")).to_contain_text("Your session has ended")


@pytest.mark.parametrize("name", ["triage", "export", "models", "accounts"])
def test_a_reader_is_told_which_pages_are_not_theirs(open_as, name):
    page = open_as(Role.READER)
    expect(page.get_by_test_id("stTopNav")).not_to_contain_text(name.capitalize())
    page.goto(f"/{name}")
    expect(page.get_by_text("This page is not open to you")).to_be_visible()
