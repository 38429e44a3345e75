import csv
import html
import http.client
import io
import json
import re
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import urlencode

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import select
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from db.tables import Access, WebSession
from db.types import AccessKind, Role, now
from review.access import accounts, sessions
from review.access.accounts import AccountView
from review.access.tokens import token_sha256
from review.maps import agreement
from tests import builders
from tests.builders import OPERATOR
from tests.server import Server, running
from ui.http.cookies import SESSION_COOKIE
from ui.http.gate import ADDRESS_HEADER, OPEN_PATHS, SESSION_ENDED, _with_address
from ui.http.headers import CONTENT_SECURITY_POLICY

PASSWORD = "correct horse battery"
CLOSED = [
    "/",
    "/review?case=3",
    "/triage",
    "/accounts",
    "/favicon.png",
    "/index.html",
    "/static/js/index.js",
    "/media/0123456789abcdef.png",
    "/component/x/index.html",
    "/app/static/x.png",
    "/_stcore/host-config",
    "/_stcore/metrics",
    "/_stcore/script-health-check",
    "/_stcore/bidi-components/x/y.js",
    "/_stcore/upload_file/session/file",
    "/_stcore/agent/openapi.json",
    "/_stcore/agent/interact",
    "/auth/login",
    "/api/pixels/1",
    "/api/map/1",
    "/api/agreement/1/1",
    "/api/thumbnail/1",
    "/api/export/1",
    "/api/audit.csv",
    "/no-such-page",
]
DISGUISES = [
    "//healthz",
    "/healthz/",
    "/HEALTHZ",
    "/healthz/../",
    "/healthz/%2e%2e/media/x",
    "/sign-in/../media/x",
    "/sign-in/%2e%2e/",
    "/sign-in//link",
    "/sign-in;x=1",
    "/sign-in%00",
    "/Sign-In/../",
    "/%2fhealthz",
    "/healthz%2f..%2f",
    "/_stcore/health/../host-config",
    "/_stcore/health%2f..%2fhost-config",
    "/_stcore/health/",
    "http://127.0.0.1/healthz/../media/x",
    "\\healthz",
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("home")) as started:
        yield started


@pytest.fixture(scope="module")
def reader(server: Server) -> AccountView:
    return accounts.create_account(
        server.ws, "ada", role=Role.READER, password=PASSWORD, by=OPERATOR
    )


@pytest.fixture
def token(server: Server, reader: AccountView) -> str:
    return sessions.redeem_link(server.ws, accounts.issue_link(server.ws, reader.id, by=OPERATOR))


def ask(
    server: Server, path: str, *, method: str = "GET", token: str = "", form=None, **headers: str
) -> tuple[http.client.HTTPResponse, str]:
    connection = http.client.HTTPConnection(server.netloc, timeout=10)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if token:
        sent["Cookie"] = f"{SESSION_COOKIE}={token}"
    if form is not None:
        sent["Content-Type"] = "application/x-www-form-urlencoded"
    connection.putrequest(method, path, skip_host="Host" in sent)
    body = urlencode(form or {}).encode()
    for name, value in (sent | {"Content-Length": str(len(body))}).items():
        connection.putheader(name, value)
    connection.endheaders(body)
    response = connection.getresponse()
    text = response.read().decode(errors="replace")
    connection.close()
    return response, text


def sign_in(server: Server, name: str = "ada", password: str = PASSWORD, **headers: str):
    form = {"name": name, "password": password, "next": headers.pop("next", "/")}
    headers.setdefault("Origin", server.url)
    return ask(server, "/sign-in", method="POST", form=form, **headers)


@pytest.mark.parametrize("path", [*CLOSED, *DISGUISES])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS"])
def test_nothing_is_served_without_a_session(server, path, method):
    response, text = ask(server, path, method=method)
    assert response.status in {400, 401, 403, 404}
    assert len(text) < 200


@pytest.mark.parametrize("path", ["/_stcore/metrics", "/_stcore/metrics/"])
def test_streamlits_figures_are_nobodys(server, token, path):
    assert ask(server, path, token=token)[0].status == 404


@pytest.mark.parametrize("path", ["/", "/review?case=3", "/api/pixels/1"])
@pytest.mark.parametrize("cookie", ["", "x", "é", "../../", "a" * 4000])
def test_a_made_up_session_opens_nothing(server, path, cookie):
    response, _ = ask(server, path, Cookie=f"{SESSION_COOKIE}={cookie}")
    assert response.status == 401


@pytest.mark.parametrize("path", sorted(OPEN_PATHS))
def test_open_paths_reveal_nothing(server, reader, path):
    response, text = ask(server, path)
    # The site has set no token, so there are no figures.
    assert response.status in ({404} if path == "/metrics" else {200, 303})
    assert "Ada" not in text


def test_a_browser_is_sent_to_sign_in_and_back(server):
    response, _ = ask(
        server, "/review?case=3&model=2", Accept="text/html", Sec_Fetch_Mode="navigate"
    )
    assert response.status == 303
    assert response.headers["Location"] == "/sign-in?next=/review%3Fcase%3D3%26model%3D2"


def test_a_session_opens_the_app(server, token):
    response, text = ask(server, "/", token=token)
    assert response.status == 200
    assert '<div id="root">' in text


def test_the_websocket_is_closed_without_a_session(server):
    with pytest.raises(InvalidStatus) as refused:
        connect(f"ws://{server.netloc}/_stcore/stream").close()
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize("path", ["/", "/_stcore/stream/", "/x", "/healthz", "/sign-in"])
def test_no_other_websocket_is_open(server, path):
    with pytest.raises(InvalidStatus):
        connect(f"ws://{server.netloc}{path}").close()


def test_a_websocket_from_another_site_is_refused(server, token):
    with pytest.raises(InvalidStatus):
        connect(
            f"ws://{server.netloc}/_stcore/stream",
            origin="http://evil.example",
            additional_headers={"Cookie": f"{SESSION_COOKIE}={token}"},
        ).close()


def test_a_websocket_ends_with_its_session(server, token):
    with connect(
        f"ws://{server.netloc}/_stcore/stream",
        origin=server.url,
        subprotocols=["streamlit"],
        additional_headers={"Cookie": f"{SESSION_COOKIE}={token}"},
    ) as stream:
        sessions.sign_out(server.ws, token)
        stream.send(b"")
        with pytest.raises(ConnectionClosed):
            list(stream)
        assert stream.close_code == SESSION_ENDED


def test_a_password_opens_a_session_with_a_guarded_cookie(server, reader):
    response, _ = sign_in(server, Origin=server.url, next="/review?case=3")
    assert (response.status, response.headers["Location"]) == (303, "/review?case=3")
    cookie = response.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Secure" not in cookie
    value = re.search(rf"{SESSION_COOKIE}=([^;]+)", cookie)
    assert value
    assert len(value[1]) >= 43
    assert ask(server, "/", token=value[1])[0].status == 200


def test_a_wrong_password_is_said_and_names_are_escaped(server):
    response, text = sign_in(server, name='"><script>', password="wrong", X_Forwarded_For="9.9.9.1")
    assert response.status == 401
    assert "do not fit" in text
    assert "<script>" not in text


def test_too_many_attempts_have_to_wait_as_long_as_is_said(server):
    for _ in range(5):
        assert sign_in(server, name="eve", password="x", X_Forwarded_For="9.9.9.2")[0].status == 401
    response, text = sign_in(server, name="eve", password="x", X_Forwarded_For="9.9.9.2")
    assert response.status == 429
    assert 1 <= int(response.headers["Retry-After"]) <= 15
    assert f"Try again in {response.headers['Retry-After']} s." in text
    assert sign_in(server, name="eve", password="x", X_Forwarded_For="9.9.9.3")[0].status == 401


def test_a_form_of_another_site_signs_nobody_in(server, reader):
    for origin in ("http://evil.example", "null", f"{server.url}.evil.example"):
        assert sign_in(server, Origin=origin)[0].status == 403


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "/\t/evil.example",
        "javascript:x",
    ],
)
def test_signing_in_leads_nowhere_else(server, reader, target):
    response, _ = sign_in(server, next=target)
    assert response.headers["Location"] == "/"


def test_an_oversized_form_is_refused(server):
    assert sign_in(server, name="x" * 10_000)[0].status == 413


def open_link(server: Server, link: str, **headers: str):
    form = {"token": link.split("token=")[1]}
    headers.setdefault("Origin", server.url)
    return ask(server, "/sign-in/link", method="POST", form=form, **headers)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_looking_at_a_link_does_not_use_it_up(server, reader, method):
    link = server.link_for(reader)
    for _ in range(2):
        response, _ = ask(server, link.removeprefix(server.url), method=method)
        assert response.status == 200
        assert "Set-Cookie" not in response.headers
    response, _ = open_link(server, link)
    assert (response.status, response.headers["Location"]) == (303, "/")
    assert SESSION_COOKIE in response.headers["Set-Cookie"]


def test_a_link_that_was_used_signs_nobody_in_again_and_says_so(server, reader):
    link = server.link_for(reader)
    open_link(server, link)
    for response, _ in (open_link(server, link), ask(server, link.removeprefix(server.url))):
        assert response.headers["Location"] == "/sign-in?state=link"
        assert "Set-Cookie" not in response.headers


def test_a_link_says_as_whom_by_whom_and_until_when(server, reader):
    _, text = ask(server, server.link_for(reader).removeprefix(server.url))
    assert "Sign in as ada?" in text
    assert str(OPERATOR) in html.unescape(text)
    assert re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", text)
    assert "You are signed in" not in text


def test_a_link_for_another_account_says_that_it_changes_who_is_signed_in(server, reader, token):
    path = server.link_for().removeprefix(server.url)
    _, text = ask(server, path, token=token)
    words = "You are signed in as ada (ada). This link signs you in as Administrator (admin)"
    assert words in text
    _, text = ask(server, server.link_for(reader).removeprefix(server.url), token=token)
    assert "You are signed in" not in text


def test_from_another_site_the_link_page_asks_for_itself_with_the_cookie(server, reader):
    path = server.link_for(reader).removeprefix(server.url)
    _, text = ask(server, path, Sec_Fetch_Site="cross-site")
    assert '<meta http-equiv="refresh" content="0">' in text
    assert "ada" not in text


NOT_OURS = [
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Origin": "null", "Sec_Fetch_Site": "cross-site"},
    {"Sec_Fetch_Site": "cross-site"},
    {"Sec_Fetch_Site": "none"},
    {},
]


@pytest.mark.parametrize("headers", NOT_OURS)
@pytest.mark.parametrize("path", ["/sign-in", "/sign-in/link"])
def test_nothing_but_our_own_page_signs_anybody_in(server, reader, path, headers):
    link = server.link_for(reader)
    form = {"token": link.split("token=")[1], "name": "ada", "password": PASSWORD}
    response, _ = ask(server, path, method="POST", form=form, **headers)
    assert response.status == 403
    assert "Set-Cookie" not in response.headers
    assert open_link(server, link)[0].headers["Location"] == "/"


def test_a_browser_that_says_the_site_instead_of_the_origin_is_let_in(server, reader):
    response, _ = open_link(
        server, server.link_for(reader), Origin="", Sec_Fetch_Site="same-origin"
    )
    assert response.status == 403  # an empty one is no origin of ours
    link = server.link_for(reader)
    form = {"token": link.split("token=")[1]}
    response, _ = ask(
        server, "/sign-in/link", method="POST", form=form, Sec_Fetch_Site="same-origin"
    )
    assert response.headers["Location"] == "/"


def test_signing_in_again_ends_the_former_session(server, reader, token):
    open_link(server, server.link_for(reader), Cookie=f"{SESSION_COOKIE}={token}")
    assert sessions.account_of(server.ws, token) is None


def test_a_session_that_somebody_else_chose_is_never_taken_up(server, reader):
    fixed = "a" * 43
    response, _ = open_link(server, server.link_for(reader), Cookie=f"{SESSION_COOKIE}={fixed}")
    assert fixed not in response.headers["Set-Cookie"]
    assert sessions.account_of(server.ws, fixed) is None


def test_the_printed_link_is_the_administrators(server):
    response, text = ask(server, server.link.removeprefix(server.url))
    assert (response.status, "Sign in as Administrator?" in text) == (200, True)


def test_signing_out_ends_the_session_and_clears_the_browser(server, token):
    response, _ = ask(server, "/sign-out", token=token)
    assert response.headers["Location"] == "/sign-in?state=signed-out"
    assert "cache" in response.headers["Clear-Site-Data"]
    assert sessions.account_of(server.ws, token) is None


def test_who_is_signed_in_does_not_see_the_form_again(server, token):
    response, _ = ask(server, "/sign-in?next=/help", token=token)
    assert (response.status, response.headers["Location"]) == (303, "/help")


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8501", "localhost.evil.example", ""]
)
def test_other_host_names_are_refused(server, token, host):
    for path in ("/", "/healthz", "/sign-in"):
        assert ask(server, path, token=token, Host=host)[0].status == 400


@pytest.mark.parametrize("path", ["/", "/sign-in", "/healthz", "/api/session", "/static/x"])
def test_headers_keep_the_browser_at_home(server, token, path):
    headers = ask(server, path, token=token)[0].headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"


def test_the_policy_names_no_other_host_and_no_eval():
    assert "http" not in CONTENT_SECURITY_POLICY
    assert "*" not in CONTENT_SECURITY_POLICY
    assert "unsafe-eval" not in CONTENT_SECURITY_POLICY


@pytest.mark.parametrize("path", ["/", "/sign-in", "/review?case=1"])
def test_html_is_not_kept(server, token, path):
    response, _ = ask(server, path, token="" if path == "/sign-in" else token)
    assert response.headers["Cache-Control"] == "no-store"


@pytest.fixture(scope="module")
def served(server: Server) -> dict[str, tuple[int, bytes]]:
    """Content of each kind: where it is served, and its bytes."""
    image = np.arange(64 * 48, dtype="<u2").reshape(48, 64) * 17
    values = np.arange(2 * 4 * 4, dtype="<f4").reshape(2, 4, 4)
    with server.ws.begin() as session:
        store = server.ws.artifacts
        image_sha256 = builders.artifact(session, store, _png(image))
        case = builders.case(
            session, bits=16, image_sha256=image_sha256, thumbnail_sha256=image_sha256
        )
        prediction = builders.prediction(session, case, builders.model(session))
        explanation = builders.explanation(
            session, prediction, artifact_sha256=builders.artifact(session, store, _npy(values))
        )
    found = agreement.agreement(
        server.ws, agreement.pair(server.ws, explanation.id, explanation.id, by=OPERATOR)
    )
    return {
        f"/api/agreement/{explanation.id}/{explanation.id}": json.dumps(found.to_json()).encode(),
        f"/api/pixels/{case.id}": image.tobytes(),
        f"/api/thumbnail/{case.id}": _png(image),
        f"/api/map/{explanation.id}": values.sum(axis=0).tobytes(),
    }


def test_maps_that_cannot_be_compared_are_refused_in_words(server, token):
    flat = np.zeros((1, 4, 4), np.float32)
    with server.ws.begin() as session:
        prediction = builders.prediction(
            session, builders.case(session), builders.model(session, name="another")
        )
        one = builders.explanation(
            session,
            prediction,
            artifact_sha256=builders.artifact(session, server.ws.artifacts, _npy(flat)),
        )
        map_id = one.id
    response, text = ask(server, f"/api/agreement/{map_id}/{map_id}", token=token)
    assert (response.status, text) == (
        422,
        "Nothing to compare: the map is flat: all its values are the same.",
    )
    assert ask(server, f"/api/agreement/{map_id}/{10**30}", token=token)[0].status == 404


def _png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def _npy(values: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


def test_pixels_and_maps_come_raw_and_are_not_kept(server, token, served):
    for path, data in served.items():
        assert ask(server, path)[0].status == 401
        connection = http.client.HTTPConnection(server.netloc, timeout=10)
        headers = {"Cookie": f"{SESSION_COOKIE}={token}", "Accept-Encoding": "gzip"}
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        assert response.read() == data
        assert response.headers["Cache-Control"] == "no-store"
        assert "ETag" not in response.headers
        connection.close()


@pytest.mark.parametrize("kind", ["pixels", "map", "thumbnail", "export"])
@pytest.mark.parametrize("number", ["0", "999999", "9" * 40, "-1", "x"])
def test_content_that_is_not_there_is_not_found(server, kind, number):
    administrator = sessions.redeem_link(server.ws, server.link_for().split("token=")[1])
    response, text = ask(server, f"/api/{kind}/{number}", token=administrator)
    assert response.status == 404 or 'id="root"' in text


def test_exports_are_for_engineers(server, token):
    assert ask(server, "/api/export/1", token=token)[0].status == 403


def last_told(server: Server, kind: AccessKind) -> Access:
    with server.ws.read() as session:
        newest = select(Access).where(Access.kind == kind).order_by(Access.id.desc())
        return session.scalars(newest.limit(1)).one()


def test_an_access_tells_the_session_and_the_address_that_the_proxy_says(server, reader, token):
    assert ask(server, "/api/export/1", token=token, X_Forwarded_For="9.9.9.7")[0].status == 403
    told = last_told(server, AccessKind.REFUSED)
    assert (told.account_id, told.address) == (reader.id, "9.9.9.7")
    assert told.session == token_sha256(token)[:12]
    assert token not in str(vars(told))


@pytest.mark.parametrize(
    "header", ["=HYPERLINK(1)", "fe80::1%=cmd", "\x1b[2J", "unknown", "9.9.9.9 <b>", "'; DROP"]
)
def test_an_address_that_is_none_is_not_kept(server, reader, header):
    response, _ = sign_in(server, password="wrong again", X_Forwarded_For=header)
    assert response.status in {400, 401, 429}
    address = last_told(server, AccessKind.SIGN_IN_FAILED).address
    assert address in {"unknown", "127.0.0.1", "fe80::1", "9.9.9.9"} | {"9.9.9.7", "9.9.9.3"}


def test_a_request_of_another_site_is_on_record_if_it_came_with_a_session(server, reader, token):
    headers = {"Origin": "http://evil.example"}
    assert ask(server, "/api/pixels/1", method="POST", token=token, **headers)[0].status == 403
    told = last_told(server, AccessKind.REFUSED)
    assert (told.account_id, told.content) == (reader.id, {"why": "sent from another site"})
    with pytest.raises(InvalidStatus):
        connect(
            f"ws://{server.netloc}/_stcore/stream",
            origin="http://evil.example",
            additional_headers={"Cookie": f"{SESSION_COOKIE}={token}"},
        ).close()


def test_the_audit_is_for_administrators(server, reader, token):
    response, text = ask(server, "/api/audit.csv", token=token)
    assert (response.status, "may not see the audit" in text) == (403, True)


def test_the_audit_comes_as_a_file_and_that_is_on_record(server, reader):
    administrator = sessions.redeem_link(server.ws, server.link_for().split("token=")[1])
    path = "/api/audit.csv?kind=account_added,audit_downloaded&case=x"
    response, text = ask(server, path, token=administrator)
    assert response.headers["Content-Type"].startswith("text/csv")
    assert "attachment" in response.headers["Content-Disposition"]
    assert response.headers["Cache-Control"] == "no-store"
    header, *rows = csv.reader(io.StringIO(text))
    assert header[0] == "time (UTC)"
    assert {row[3] for row in rows} == {"Account added", "Audit downloaded"}
    assert rows[0][3] == "Audit downloaded"


def test_who_came_to_a_page_is_told_by_the_gate_and_not_by_the_browser(server, reader, token):
    """A browser may send any header over the WebSocket."""
    scope = {
        "client": ("9.9.9.8", 1),
        "headers": [(b"X-Second-Look-Address", b"1.2.3.4"), (b"host", b"localhost")],
    }
    assert _with_address(scope) == [
        (b"host", b"localhost"),
        (ADDRESS_HEADER.encode(), b"9.9.9.8"),
    ]


def test_the_browser_learns_whether_and_for_how_long_it_is_signed_in(server, token):
    assert json.loads(ask(server, "/api/session")[1]) == {"signed_in": False}
    left = json.loads(ask(server, "/api/session", token=token)[1])
    assert (left["signed_in"], left["may_stay"]) == (True, True)
    assert 3500 < left["seconds"] <= 3600


IDLE_SOON = 10 * 60


def minutes_idle(server: Server, token: str) -> None:
    """Let the holder of a session have been idle for so long that `IDLE_SOON` seconds are left."""
    with server.ws.begin() as session:
        found = session.get_one(WebSession, token_sha256(token))
        found.last_seen_at = now() - timedelta(minutes=50)


def seconds_left(server: Server, token: str) -> int:
    """Return in how many seconds the server ends an idle session, as it tells its pages."""
    seconds: int = json.loads(ask(server, "/api/session", token=token)[1])["seconds"]
    return seconds


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/api/session", {}),
        ("/_stcore/host-config", {}),
        ("/api/pixels/1", {"Sec_Fetch_Mode": "cors"}),
        ("/static/x", {"Sec_Fetch_Mode": "no-cors"}),
    ],
)
def test_what_a_page_asks_for_by_itself_is_nobodys_activity(server, token, path, headers):
    minutes_idle(server, token)
    ask(server, path, token=token, **headers)
    assert seconds_left(server, token) <= IDLE_SOON


def test_an_open_line_is_nobodys_activity(server, token):
    minutes_idle(server, token)
    with connect(
        f"ws://{server.netloc}/_stcore/stream",
        origin=server.url,
        subprotocols=["streamlit"],
        additional_headers={"Cookie": f"{SESSION_COOKIE}={token}"},
    ) as stream:
        stream.send(b"")
        stream.ping().wait(10)
    assert seconds_left(server, token) <= IDLE_SOON


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [("POST", "/api/session", {}), ("GET", "/help", {"Sec_Fetch_Mode": "navigate"})],
)
def test_a_person_who_moves_or_opens_a_page_stays_signed_in(server, token, method, path, headers):
    minutes_idle(server, token)
    ask(server, path, method=method, token=token, **headers)
    assert seconds_left(server, token) > IDLE_SOON


def test_another_site_keeps_nobody_signed_in(server, token):
    minutes_idle(server, token)
    headers = {"Origin": "http://evil.example"}
    assert ask(server, "/api/session", method="POST", token=token, **headers)[0].status == 403
    assert seconds_left(server, token) <= IDLE_SOON


def test_health_says_that_the_database_answers(server):
    response, text = ask(server, "/healthz")
    assert (response.status, json.loads(text)) == (200, {"status": "ok"})
