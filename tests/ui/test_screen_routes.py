"""The routes of the reader's screen, as a browser, or an attacker with a reader's account, asks."""

import http.client
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import func, select

from db.tables import Draft, Verdict
from db.types import Role
from review.access import accounts, sessions
from review.cases import reading
from tests import builders, readings
from tests.builders import OPERATOR
from tests.server import Server, running
from ui.http.cookies import SESSION_COOKIE, WAITING_COOKIE
from ui.viewer.routes import MAX_BYTES


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("home")) as started:
        yield started


@dataclass
class Reader:
    """Somebody signed in, and a prediction."""

    server: Server
    id: int
    token: str
    case_id: int
    prediction_id: int

    def send(self, method: str, path: str, body: Any, **headers: str) -> tuple[int, dict[str, Any]]:
        connection = http.client.HTTPConnection(self.server.netloc)
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"Origin": self.server.url, "Cookie": f"{SESSION_COOKIE}={self.token}"} | headers
        connection.request(method, path, data, sent)
        reply = connection.getresponse()
        text = reply.read().decode()
        connection.close()
        is_json = reply.headers["content-type"] == "application/json"
        return reply.status, json.loads(text) if is_json else {"words": text}

    def draft(self, content: Any, base: Any = None, **fields: Any) -> tuple[int, dict[str, Any]]:
        sent = {"reader_id": self.id, "base": base, "content": content} | fields
        return self.send("PUT", f"/api/draft/{self.prediction_id}", sent)

    def verdict(self, **fields: Any) -> tuple[int, dict[str, Any]]:
        case = reading.open_case(self.server.ws, self.case_id, reader_id=self.id)
        sent = {
            "kind": "verdict",
            "reader_id": self.id,
            "request_id": f"r{self.id}",
            "case_id": self.case_id,
            "prediction_id": self.prediction_id,
            "evidence_token": case.evidence_token,
            "explanation_ids": [m.explanation_id for m in case.maps if m],
            "opinion": "accept",
            "next_id": None,
        }
        return self.send("POST", "/api/verdict", sent | fields)


@pytest.fixture
def reader(server: Server) -> Reader:
    return signed_in(server)


def signed_in(server: Server, role: Role = Role.READER) -> Reader:
    with server.ws.begin() as session:
        account_id = builders.account(session, role).id
        case, model = readings.case(session, server.ws.artifacts), builders.model(session)
        prediction = builders.prediction(session, case, model)
        readings.explain(session, server.ws.artifacts, prediction)
        ids = case.id, prediction.id
    link = accounts.issue_link(server.ws, account_id, by=OPERATOR)
    return Reader(server, account_id, sessions.redeem_link(server.ws, link), *ids)


def n_of(server: Server, table: type[Draft | Verdict], account_id: int) -> int:
    owner = Draft.account_id if table is Draft else Verdict.reader_id
    with server.ws.read() as session:
        return session.scalar(select(func.count()).where(owner == account_id)) or 0


def test_a_draft_is_kept_written_over_and_discarded(server, reader):
    status, first = reader.draft({"comment": "half"})
    assert (status, first["ok"]) == (200, True)
    status, second = reader.draft({"comment": "half a"}, first["at"])
    assert second["at"] > first["at"]
    status, newer = reader.draft({"comment": "other"}, first["at"])
    assert (status, newer["draft"]["at"]) == (409, second["at"])
    assert newer["draft"]["content"]["comment"] == "half a"
    assert reader.draft(None, first["at"])[0] == 409
    assert reader.draft(None, second["at"]) == (200, {"ok": True, "at": None})
    assert n_of(server, Draft, reader.id) == 0


def test_the_screen_is_given_the_state_that_the_route_named(server, reader):
    _, kept = reader.draft({"comment": "half"})
    draft = reading.open_case(server.ws, reader.case_id, reader_id=reader.id).draft
    assert draft
    assert reader.draft({"comment": "more"}, kept["at"])[0] == 200
    assert draft.content.comment == "half"


def test_what_is_damaged_is_said_in_words(server, reader):
    case = reading.open_case(server.ws, reader.case_id, reader_id=reader.id)
    (map_,) = [m for m in case.maps if m][:1]
    for sha256 in (case.image.sha256, map_.artifact_sha256):
        server.ws.artifacts.path(sha256).write_bytes(b"damaged")
    status, reply = reader.send("GET", f"/api/pixels/{reader.case_id}", b"")
    assert status == 410
    assert "uploading the same file again replaces it" in reply["words"]
    status, reply = reader.send("GET", f"/api/map/{map_.explanation_id}", b"")
    assert (status, reply["words"]) == (410, "the stored map is damaged or missing")


def test_what_another_reader_entered_is_not_kept_or_signed_as_ones_own(server, reader):
    other = signed_in(server)
    for status, reply in (
        reader.draft({"comment": "theirs"}, reader_id=other.id),
        reader.verdict(reader_id=other.id),
    ):
        assert status == 403
        assert reply["words"].startswith("This was entered by another reader")
    for table in (Draft, Verdict):
        assert n_of(server, table, reader.id) == n_of(server, table, other.id) == 0


def test_a_verdict_is_signed_once_and_takes_the_draft_with_it(server, reader):
    reader.draft({"opinion": "accept"})
    status, reply = reader.verdict()
    assert (status, reply["ok"]) == (200, True)
    assert reader.verdict() == (status, reply)
    assert n_of(server, Verdict, reader.id) == 1
    assert n_of(server, Draft, reader.id) == 0
    status, stale = reader.verdict(request_id=f"again {reader.id}")
    assert status == 422
    assert stale["words"].startswith("You signed Accept at ")


def test_who_may_not_sign_does_neither(server):
    engineer = signed_in(server, Role.ENGINEER)
    for status, reply in (engineer.draft({"comment": "x"}), engineer.verdict()):
        assert status == 403
        assert "may not sign or withdraw verdicts" in reply["words"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"x" * 300_000, 413),
        (b"x" * MAX_BYTES, 400),
        (b"[" * 60_000, 400),
        (b"\xff\xfe", 400),
        (b"", 400),
        (b"null", 422),
        (b"[]", 422),
        (b"{}", 422),
        (b'{"kind": "open", "case_id": 1}', 422),
        (b'{"kind": "verdict"}', 422),
        (b'{"reader_id": NaN, "base": 1e999, "content": {}}', 422),
    ],
)
def test_what_is_not_in_its_form_is_refused_in_words(reader, body, status):
    for method, path in (("PUT", f"/api/draft/{reader.prediction_id}"), ("POST", "/api/verdict")):
        got, reply = reader.send(method, path, body)
        # What is too large for any route is refused before one is asked, in plain words.
        assert (got, reply.get("ok", False)) == (status, False)
        assert 0 < len(reply["words"]) < 300
        assert "incident" not in reply["words"]


@pytest.mark.parametrize("base", [5, "noon", "2026-13-01", "x" * 50, "2026-01-01T00:00:00"])
def test_a_base_that_names_no_state_is_refused_or_told_of_the_newest(reader, base):
    _, kept = reader.draft({"comment": "half"})
    status, reply = reader.draft({"comment": "x"}, base)
    assert status in (409, 422)
    assert "incident" not in reply["words"]
    assert reader.draft({"comment": "more"}, kept["at"])[0] == 200


def test_a_draft_of_nothing_that_there_is_is_refused(reader):
    for prediction_id in (999_999, 2**40, 2**80):
        sent = {"reader_id": reader.id, "base": None, "content": {}}
        status, _ = reader.send("PUT", f"/api/draft/{prediction_id}", sent)
        assert status in (404, 422)


def test_another_site_and_nobody_are_refused(server, reader):
    sent = {"reader_id": reader.id, "base": None, "content": {}}
    path = f"/api/draft/{reader.prediction_id}"
    assert reader.send("PUT", path, sent, Origin="http://evil.example")[0] == 403
    assert reader.send("PUT", path, sent, Cookie="")[0] == 401
    assert reader.send("POST", "/api/verdict", {}, Cookie="")[0] == 401
    assert n_of(server, Draft, reader.id) == 0


def test_signing_out_clears_the_storage_unless_a_verdict_waits_in_it(server):
    def cleared(cookie: str) -> str | None:
        connection = http.client.HTTPConnection(server.netloc)
        connection.request("GET", "/sign-out", headers={"Cookie": cookie})
        reply = connection.getresponse()
        reply.read()
        connection.close()
        return reply.headers["Clear-Site-Data"]

    token = signed_in(server).token
    assert cleared(f"{SESSION_COOKIE}={token}") == '"cache", "storage"'
    token = signed_in(server).token
    assert cleared(f"{SESSION_COOKIE}={token}; {WAITING_COOKIE}=1") == '"cache"'


def test_streamlit_is_told_to_open_no_window_over_the_page(reader):
    status, host = reader.send("GET", "/_stcore/host-config", b"")
    assert (status, host["blockErrorDialogs"], host["allowedOrigins"]) == (200, True, [])
