"""The route of uploads, as a browser, or whoever has an account, asks."""

import http.client
import json
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from db.types import Role
from review.access import accounts, sessions
from review.cases import batches
from tests import builders
from tests.builders import OPERATOR
from tests.pictures import png
from tests.server import Server, running
from ui.http.cookies import SESSION_COOKIE
from ui.http.uploads import MAX_FILE, Parcel, ParcelError


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("home")) as started:
        yield started


@pytest.fixture
def token(server: Server) -> str:
    with server.ws.begin() as session:
        reader_id = builders.account(session, Role.READER).id
    return sessions.redeem_link(server.ws, accounts.issue_link(server.ws, reader_id, by=OPERATOR))


def parcel(*files: tuple[str, bytes]) -> bytes:
    body = b""
    for name, data in files:
        header = json.dumps({"name": name, "size": len(data)}).encode()
        body += struct.pack(">I", len(header)) + header + data
    return body


def send(server: Server, path: str, body: bytes, token: str = "", **headers: str):
    connection = http.client.HTTPConnection(server.netloc)
    sent = {"Origin": server.url, "Cookie": f"{SESSION_COOKIE}={token}"} | headers
    method = headers.pop("method", "POST")
    connection.request(method, path, body, sent)
    reply = connection.getresponse()
    text = reply.read().decode()
    connection.close()
    return reply.status, text


def spooled(server: Server) -> set[Path]:
    return set(batches.spool_of(server.ws).glob("*/*"))


def test_what_is_sent_is_stored_and_said_to_have_arrived(server, token):
    body = parcel(("a.png", png(1)), ("empty", b""), ("b.png", png(2)))
    status, text = send(server, "/api/upload/one/0?of=3", body, token)
    assert (status, json.loads(text)["ok"]) == (200, True)
    again = send(server, "/api/upload/one/0?of=3", body, token)
    assert again == (status, text)
    assert send(server, "/api/upload/one", b"", token, method="PUT") == (200, '{"ok":true}')
    status, text = send(server, "/api/upload/one/1?of=3", body, token)
    assert (status, "has ended" in text) == (409, True)


def test_an_upload_of_another_account_is_not_ended(server, token):
    assert send(server, "/api/upload/theirs", b"", token, method="DELETE") == (200, '{"ok":false}')


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/api/upload/two/0?of=1", b"\x00\x00\x00\x02{}", 400),
        ("/api/upload/two/0?of=1", b"\xff\xff\xff\xff", 400),
        ("/api/upload/two/0?of=1", parcel(("a", b"half"))[:-1], 400),
        ("/api/upload/two/0?of=1", b"", 400),
        ("/api/upload/two/0?of=1", b"\x00\x00\x0f\xa0" + b"[" * 4_000, 400),
        ("/api/upload/two/0?of=1", parcel(("a", b""), ("b", b"")), 400),
        ("/api/upload/two/0?of=100", parcel(*[("a", b"")] * 51), 400),
        ("/api/upload/two/0?of=many", b"", 400),
        (f"/api/upload/two/0?of={'9' * 5_000}", b"", 400),
        ("/api/upload/two/0", b"", 400),
    ],
)
def test_what_is_no_parcel_is_refused_and_nothing_of_it_kept(server, token, path, body, status):
    before = spooled(server)
    assert send(server, path, body, token)[0] == status
    assert spooled(server) <= before


def test_nobody_uploads_without_a_session_or_from_another_site(server, token):
    body = parcel(("a.png", png(1)))
    assert send(server, "/api/upload/x/0?of=1", body)[0] == 401
    elsewhere = {"Origin": "http://elsewhere.example"}
    assert send(server, "/api/upload/x/0?of=1", body, token, **elsewhere)[0] == 403


def test_the_files_of_a_parcel_come_out_whatever_its_pieces(tmp_path: Path):
    files = [("ä/1.png", b"one"), ("", b""), ("x" * 300, b"three" * 1000)]
    for n_bytes in (1, 7, 4096):
        arriving, body = Parcel(tmp_path), parcel(*files)
        for start in range(0, len(body), n_bytes):
            arriving.feed(body[start : start + n_bytes])
        assert arriving.is_whole
        found = [(file.name, file.path.read_bytes()) for file in arriving.files]
        assert found == [(name[-255:], data) for name, data in files]


def test_half_a_character_in_a_name_is_none(tmp_path: Path):
    arriving = Parcel(tmp_path)
    arriving.feed(struct.pack(">I", 26) + rb'{"name":"\ud800","size":0}')
    assert [file.name for file in arriving.files] == ["?"]


@pytest.mark.parametrize("size", [-1, MAX_FILE + 1, True, "1", None])
def test_a_size_that_is_none_is_refused(tmp_path: Path, size: object):
    header = json.dumps({"name": "a", "size": size}).encode()
    with pytest.raises(ParcelError):
        Parcel(tmp_path).feed(struct.pack(">I", len(header)) + header)
