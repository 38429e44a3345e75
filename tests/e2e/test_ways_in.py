"""Signing in by a certified OpenID provider and by second factors, through the running server."""

import re
from collections.abc import Iterator
from pathlib import Path

import pyotp
import pytest
import requests
from playwright.sync_api import Browser, Page, Route, expect

from db.types import Role
from review.access import accounts
from tests.builders import OPERATOR
from tests.openid import real
from tests.openid.real import LABEL, RealProvider, sign_in_at
from tests.server import Server, running
from ui.http import openid, second_step
from ui.http.cookies import SESSION_COOKIE

pytestmark = pytest.mark.e2e
PASSWORD = "correct horse battery"
TIMEOUT = 10


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealProvider]:
    with real.running(tmp_path_factory.mktemp("provider")) as started:
        yield started


@pytest.fixture(scope="module")
def server(provider: RealProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A site that asks administrators for a second factor, and has the provider."""
    site = {"SECOND_LOOK_SECOND_FACTOR": "administrators"} | provider.environment()
    with running(tmp_path_factory.mktemp("home"), **site) as started:
        yield started


@pytest.fixture
def page(chromium: Browser, server: Server) -> Iterator[Page]:
    """A page that may go to the provider, too; what that one draws from elsewhere stays away."""

    def local(route: Route) -> None:
        ours = route.request.url.startswith(("http://127.0.0.1:", "data:", "blob:"))
        route.continue_() if ours else route.abort()

    context = chromium.new_context(base_url=server.url)
    context.route("**/*", local)
    yield context.new_page()
    context.close()


@pytest.fixture
def browser() -> Iterator[requests.Session]:
    """What keeps cookies and follows redirects, as a browser does, and draws nothing."""
    with requests.Session() as session:
        session.headers.update(Accept="text/html")
        yield session


def at_provider(page: Page, subject: str) -> None:
    page.get_by_role("link", name=f"Sign in with {LABEL}").click()
    page.locator("[name=login]").fill(subject)
    page.locator("[name=password]").fill("any")
    page.keyboard.press("Enter")


def sign_in(page: Page, name: str) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")


def added(server: Server, name: str, role: Role = Role.READER) -> None:
    accounts.create_account(server.ws, name, role=role, password=PASSWORD, by=OPERATOR)


def test_somebody_comes_in_by_the_provider_to_where_they_wanted_and_out_of_both(
    page, server, provider
):
    provider.knows("ada-17", name="Ada Lovelace", preferred_username="ada", groups=["radiology"])
    page.goto("/help")
    at_provider(page, "ada-17")
    expect(page).to_have_url(f"{server.url}/help")
    expect(page.get_by_test_id("stTopNav")).to_contain_text("Ada Lovelace")
    (cookie,) = [each for each in page.context.cookies() if each["name"] == SESSION_COOKIE]
    assert (cookie["sameSite"], cookie["httpOnly"]) == ("Strict", True)
    assert not [each for each in page.context.cookies() if each["name"] == openid.COOKIE]
    page.goto("/account")
    expect(page.get_by_text("You sign in by OpenID")).to_be_visible()
    page.goto("/sign-out")
    page.get_by_role("link", name="Sign out there").click()
    page.get_by_role("button", name="Yes").click()
    expect(page).to_have_url(f"{server.url}/sign-in")


def test_a_second_factor_is_set_up_before_an_administrator_is_in_and_asked_for_then(page, server):
    added(server, "grace", Role.ADMINISTRATOR)
    page.goto("/help")
    sign_in(page, "grace")
    expect(page.get_by_role("heading", name="Set up a second factor")).to_be_visible()
    assert page.evaluate("document.querySelector('.qr svg').getBoundingClientRect().width") > 150
    page.get_by_text("Or type the secret").click()
    secret = page.locator(".secret").inner_text().replace(" ", "")
    page.goto("/accounts")  # nothing is open meanwhile
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    page.goto("/sign-in/set-up?next=/help")
    page.get_by_text("Or type the secret").click()
    assert secret != page.locator(".secret").inner_text().replace(" ", "")
    secret = page.locator(".secret").inner_text().replace(" ", "")
    page.keyboard.press("Tab")
    page.get_by_label("Code that the app").fill("abcdef")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("does not fit")
    page.get_by_label("Code that the app").fill(pyotp.TOTP(secret).now())
    page.keyboard.press("Enter")
    expect(page.locator(".codes li")).to_have_count(10)
    recovery_code = page.locator(".codes li").first.inner_text()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert recovery_code in Path(download.value.path()).read_text()
    page.get_by_role("link", name="continue").click()
    expect(page).to_have_url(f"{server.url}/help")

    page.goto("/sign-out")
    page.goto("/help")
    sign_in(page, "grace")
    expect(page.get_by_label("Code of your authenticator")).to_be_focused()
    page.keyboard.type(recovery_code)
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{server.url}/help")


def test_somebody_sets_a_second_factor_up_by_choice(page, server):
    added(server, "edith")
    page.goto("/account")
    sign_in(page, "edith")
    page.get_by_role("link", name="Set up a second factor").click()
    page.get_by_text("Or type the secret").click()
    secret = page.locator(".secret").inner_text().replace(" ", "")
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_label("Code that the app").fill(pyotp.TOTP(secret).now())
    page.keyboard.press("Enter")
    page.get_by_role("link", name="continue").click()
    expect(page.get_by_text("10 of 10 recovery codes are left")).to_be_visible()


def test_what_waits_for_a_second_factor_opens_nothing(browser, server):
    added(server, "joan", Role.ADMINISTRATOR)
    sent = {"name": "joan", "password": PASSWORD, "next": "/help"}
    ours = {"Origin": server.url}
    page = browser.post(f"{server.url}/sign-in", data=sent, headers=ours, timeout=TIMEOUT)
    assert page.url == f"{server.url}/sign-in/set-up?next=/help"
    token = browser.cookies[second_step.COOKIE]
    assert SESSION_COOKIE not in browser.cookies
    browser.cookies.set(SESSION_COOKIE, token)
    assert browser.get(f"{server.url}/api/session", timeout=TIMEOUT).json()["signed_in"] is False


def test_a_role_follows_the_claim_and_none_is_said(browser, server, provider):
    provider.knows("mary-3", preferred_username="mary", groups=["ai-lab"])
    begin = f"{server.url}{openid.BEGIN}"
    assert "You are signed in" in sign_in_at(browser, begin, "mary-3").text
    mary = accounts.account_named(server.ws, "mary", by=OPERATOR)
    assert mary.role == Role.ENGINEER
    provider.knows("mary-3", preferred_username="mary", groups=["visitors"])
    browser.cookies.clear(domain="127.0.0.1", path="/", name=SESSION_COOKIE)
    refused = sign_in_at(browser, begin, "mary-3")
    assert refused.status_code == 403
    assert "tells no role" in refused.text
    assert SESSION_COOKIE not in browser.cookies


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example", "/\\evil.example"])
def test_nobody_is_led_away_from_the_site(browser, server, provider, target):
    provider.knows("eve-1", preferred_username="eve", groups=["radiology"])
    address = f"{server.url}{openid.BEGIN}?next={target}"
    assert "evil.example" not in sign_in_at(browser, address, "eve-1").text


def came_back(browser: requests.Session, server: Server, subject: str) -> str:
    """Sign in at the provider; return the address that it sends the browser back to."""
    browser.hooks["response"] = []
    seen: list[str] = []

    def remember(response: requests.Response, **_: object) -> None:
        seen.append(response.url)

    browser.hooks["response"].append(remember)
    sign_in_at(browser, f"{server.url}{openid.BEGIN}", subject)
    return next(each for each in seen if each.startswith(f"{server.url}{openid.BACK}"))


def test_what_the_provider_sent_back_is_good_once_and_in_its_browser(browser, server, provider):
    provider.knows("ann-2", preferred_username="ann", groups=["radiology"])
    address = came_back(browser, server, "ann-2")
    for again in (browser, requests.Session()):
        answer = again.get(address, timeout=TIMEOUT)
        assert answer.status_code == 403
        assert "Begin again" in answer.text


def test_somebody_elses_answer_does_not_sign_in(server, provider, page):
    provider.knows("eve-2", preferred_username="eve2", groups=["radiology"])
    with requests.Session() as attacker:
        begun = attacker.get(f"{server.url}{openid.BEGIN}", allow_redirects=False, timeout=TIMEOUT)
        state = re.search(r"state=([^&]+)", begun.headers["Location"])[1]
    page.goto(f"{openid.BACK}?code=stolen&state={state}")
    expect(page.get_by_role("alert")).to_contain_text("another browser")
    assert not [each for each in page.context.cookies() if each["name"] == SESSION_COOKIE]


def test_a_session_that_was_there_before_is_not_the_one_after(browser, server, provider):
    provider.knows("lin-4", preferred_username="lin", groups=["radiology"])
    browser.cookies.set(SESSION_COOKIE, "planted", domain="127.0.0.1", path="/")
    sign_in_at(browser, f"{server.url}{openid.BEGIN}", "lin-4")
    assert "planted" not in [each.value for each in browser.cookies]


@pytest.mark.parametrize("path", [openid.BEGIN, openid.BACK])
def test_a_browser_that_looks_ahead_begins_nothing(server, path):
    ahead = {"Sec-Purpose": "prefetch"}
    for ask in (requests.head, lambda at, **kw: requests.get(at, headers=ahead, **kw)):
        answer = ask(server.url + path, allow_redirects=False, timeout=TIMEOUT)
        assert answer.status_code == 403
        assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("path", [second_step.CODE, second_step.SET_UP])
def test_the_second_step_begins_with_the_first(server, path):
    for ask in (requests.get, requests.post):
        ours = {"Origin": server.url}
        answer = ask(server.url + path, headers=ours, allow_redirects=False, timeout=TIMEOUT)
        assert (answer.status_code, answer.headers["Location"]) == (303, second_step.AGAIN)


def test_another_site_cannot_send_a_code(server):
    sent = {"headers": {"Origin": "https://evil.example"}, "data": {"code": "123456"}}
    for path in (second_step.CODE, second_step.SET_UP, second_step.OWN):
        assert requests.post(server.url + path, timeout=TIMEOUT, **sent).status_code == 403


def test_a_provider_that_goes_away_meanwhile_is_said(browser, server, provider):
    """The last of this module: the provider is away from then on."""
    begun = browser.get(f"{server.url}{openid.BEGIN}", allow_redirects=False, timeout=TIMEOUT)
    state = re.search(r"state=([^&]+)", begun.headers["Location"])[1]
    provider.stop()
    answer = {"state": state, "code": "a code", "iss": provider.issuer}
    page = browser.get(f"{server.url}{openid.BACK}", params=answer, timeout=TIMEOUT)
    assert page.status_code == 403
    assert "cannot be reached" in page.text
    assert 'name="password"' in page.text
