"""The way in behind a proxy: cookies, headers and warnings follow the site's public address."""

import asyncio
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode

import pytest
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.middleware import Middleware

from db.types import Role
from review.access import accounts
from review.errors import SettingsError
from review.settings import IDLE_VARIABLE, PUBLIC_URL_VARIABLE, SHARED_VARIABLE, Settings
from review.workspace import Workspace
from tests.builders import OPERATOR
from ui.http import proxy, sign_in
from ui.http.addresses import same_origin
from ui.http.browsers import browser_words
from ui.http.cookies import SESSION_COOKIE
from ui.http.gate import Gate
from ui.http.headers import SecurityHeaders
from ui.workspace import workspace

HOST = "second-look.example"
HTTPS = f"https://{HOST}"


@dataclass(frozen=True)
class Reply:
    """What the application answered."""

    status: int
    headers: Headers


Ask = Callable[..., Reply]


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch, ws: Workspace) -> Callable[..., Ask]:
    """Set the site up by its environment; what it returns asks for a path."""

    def set_up(**environment: str) -> Ask:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        workspace.clear()
        accounts.create_account(workspace(), "ada", role=Role.READER, by=OPERATOR)
        doors = [
            Middleware(SecurityHeaders, workspace=workspace),
            Middleware(Gate, workspace=workspace),
        ]
        app = Starlette(routes=sign_in.ROUTES, middleware=doors)
        return lambda *asked, **how: asyncio.run(_ask(app, *asked, **how))

    for found in ("_troubles", "_told"):
        monkeypatch.setattr(proxy, found, set())
    yield set_up
    opened = workspace()
    workspace.clear()
    opened.sessions.kw["bind"].dispose()


async def _ask(app, method: str, path: str, *, scheme: str = "https", form=None, **sent) -> Reply:
    body = urlencode(form or {}).encode()
    headers = {"host": HOST, "origin": HTTPS} | {
        name.replace("_", "-"): value for name, value in sent.items()
    }
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"",
        "scheme": scheme,
        "client": ("10.0.0.7", 5),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    answered: list[dict] = []

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        answered.append(message)

    await app(scope, receive, send)
    return Reply(answered[0]["status"], Headers(raw=answered[0]["headers"]))


def enter(ask: Ask, **sent) -> str:
    ada = accounts.account_named(workspace(), "ada", by=OPERATOR)
    link = accounts.issue_link(workspace(), ada.id, by=OPERATOR)
    reply = ask("POST", "/sign-in/link", form={"token": link}, **sent)
    assert reply.headers["location"] == "/"
    return reply.headers["set-cookie"]


@pytest.mark.parametrize("scheme", ["https", "http"])
def test_under_https_the_cookie_is_this_hosts_alone_whatever_the_request_looks_like(site, scheme):
    ask = site(**{PUBLIC_URL_VARIABLE: HTTPS})
    cookie = enter(ask, scheme=scheme)
    assert cookie.startswith(f"__Host-{SESSION_COOKIE}=")
    assert "Secure" in cookie
    assert "Path=/;" in cookie
    assert "Domain" not in cookie
    token = re.search(r"=([^;]+)", cookie)[1]
    for name, location in ((f"__Host-{SESSION_COOKIE}", "/"), (SESSION_COOKIE, None)):
        reply = ask("GET", "/sign-in", cookie=f"{name}={token}")
        assert reply.headers.get("location") == location
        assert reply.headers["strict-transport-security"] == "max-age=31536000"
    gone = ask("GET", "/sign-out", cookie=f"__Host-{SESSION_COOKIE}={token}").headers["set-cookie"]
    assert gone.startswith(f'__Host-{SESSION_COOKIE}=""')
    assert "Secure" in gone


@pytest.mark.parametrize("others", ['settings={"theme": 1}', "a/b=1", "name=Ada Lovelace", "=;;"])
def test_cookies_of_other_applications_on_the_host_keep_nobody_out(site, others):
    ask = site(**{PUBLIC_URL_VARIABLE: HTTPS})
    own = enter(ask).partition(";")[0]
    assert ask("GET", "/sign-in", cookie=f"{others}; {own}").headers.get("location") == "/"


def test_without_https_neither_is_promised_even_if_a_request_claims_it(site):
    ask = site(**{PUBLIC_URL_VARIABLE: f"http://{HOST}"})
    assert "Secure" not in enter(ask, origin=f"http://{HOST}")
    assert "strict-transport-security" not in ask("GET", "/sign-in").headers


def test_a_page_forged_over_http_signs_nobody_in_over_https(site):
    ask = site(**{PUBLIC_URL_VARIABLE: HTTPS})
    form = {"name": "ada", "password": "theirs"}
    assert ask("POST", "/sign-in", form=form, origin=f"http://{HOST}").status == 403


@pytest.mark.parametrize(("value", "lasts"), [("", True), ("no", True), ("yes", False)])
def test_on_shared_workstations_the_cookie_ends_with_the_browser(site, value, lasts):
    cookie = enter(site(**{PUBLIC_URL_VARIABLE: HTTPS, SHARED_VARIABLE: value}))
    assert ("Max-Age" in cookie) == lasts
    assert "expires" not in cookie.lower()


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"x_forwarded_proto": "https"}, "set FORWARDED_ALLOW_IPS to its address"),
        ({}, "let your proxy send X-Forwarded-Proto"),
    ],
)
def test_a_proxy_that_is_not_set_up_is_said_once_and_until_it_is(site, caplog, sent, said):
    ask = site(**{PUBLIC_URL_VARIABLE: HTTPS})
    settings = workspace().settings
    with caplog.at_level(logging.WARNING, logger=proxy.__name__):
        for _ in range(3):
            ask("GET", "/sign-in", scheme="http", **sent)
    (line,) = [record.getMessage() for record in caplog.records]
    assert said in line
    assert "10.0.0.7" in line
    assert proxy.standing(settings) != "ok"
    ask("GET", "/sign-in")
    assert proxy.standing(settings) == "ok"
    ask("GET", "/sign-in", scheme="http", **sent)  # by whoever reaches the port
    assert len(caplog.records) == 1


def test_a_look_at_the_servers_own_address_is_no_trouble(site, caplog):
    ask = site(**{PUBLIC_URL_VARIABLE: HTTPS})
    ask("GET", "/sign-in", scheme="http", host="127.0.0.1:8501")
    assert not caplog.records
    assert proxy.standing(workspace().settings) == "ok"


@pytest.mark.parametrize(
    ("public_url", "allowed", "words"),
    [
        (f"http://{HOST}", None, ["unencrypted"]),
        (HTTPS, "*", ["claim any address"]),
        (HTTPS, "10.0.0.1, proxy", ["'proxy'"]),
        (HTTPS, "10.0.0.1,10.0.1.0/24", []),
        ("http://localhost:8501", None, []),
        ("http://127.0.0.1:8501", None, []),
        (None, None, []),
    ],
)
def test_what_is_wrong_is_said_at_the_start(tmp_path, monkeypatch, public_url, allowed, words):
    if allowed:
        monkeypatch.setenv(proxy.ALLOWED_VARIABLE, allowed)
    found = proxy.doubts(Settings(tmp_path, "sqlite://", b"", public_url))
    assert len(found) == len(words)
    assert all(word in doubt for word, doubt in zip(words, found, strict=True))


@pytest.mark.parametrize(
    ("value", "origin"),
    [
        ("HTTPS://Second-Look.Example:443/", HTTPS),
        ("https://x:8443", "https://x:8443"),
        ("http://[::1]:80", "http://[::1]"),
    ],
)
def test_the_public_address_is_kept_as_browsers_write_it(tmp_path, monkeypatch, value, origin):
    monkeypatch.setenv(PUBLIC_URL_VARIABLE, value)
    assert Settings.load(tmp_path).public_url == origin


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        (PUBLIC_URL_VARIABLE, "https://x:port"),
        (PUBLIC_URL_VARIABLE, "https://me@x"),
        (PUBLIC_URL_VARIABLE, "https://x?y"),
        (IDLE_VARIABLE, "4"),
        (IDLE_VARIABLE, "an hour"),
        (SHARED_VARIABLE, "maybe"),
    ],
)
def test_a_setting_that_is_none_is_said(tmp_path, monkeypatch, variable, value):
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError, match=variable):
        Settings.load(tmp_path)


@pytest.mark.parametrize(
    ("origin", "public_url", "ours"),
    [
        ("http://127.0.0.1:8501", HTTPS, True),  # by the server's own address
        (HTTPS, HTTPS, True),
        (f"http://{HOST}", HTTPS, False),
        ("null", HTTPS, False),
        ("http://127.0.0.1:9999", None, False),
    ],
)
def test_the_origin_is_ours_by_either_address(origin, public_url, ours):
    headers = Headers({"host": "127.0.0.1:8501", "origin": origin})
    assert same_origin(headers, public_url, proven=True) == ours


@pytest.mark.parametrize(
    ("user_agent", "words"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64) … Chrome/140.0 Safari/537.36", "Chromium on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) … Chrome/140.0 Safari/537 Edg/140.0", "Edge on Windows"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 14.5) … Safari/605.1.15", "Safari on macOS"),
        ("Mozilla/5.0 (Windows NT 10.0; rv:140.0) Gecko Firefox/140.0", "Firefox on Windows"),
        ("curl/8.5.0", "Unknown browser"),
        ("<script>" * 1000, "Unknown browser"),
    ],
)
def test_browsers_have_few_words(user_agent, words):
    assert browser_words(user_agent) == words
