"""Limits at the server itself, against the real one: nobody's slowness is somebody else's."""

import http.client
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from review.access import accounts, sessions
from tests.builders import OPERATOR
from tests.server import Server, running
from ui.http import bounds, connections
from ui.http.connections import Places
from ui.http.cookies import SESSION_COOKIE

HALF_SENT = b"POST /sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000\r\n\r\nname=a"
NO_PROXY = "192.0.2.1"
PATIENCE_SECONDS = 60


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("home")
    with running(home, FORWARDED_ALLOW_IPS=NO_PROXY) as started:
        yield started


def opened(server: Server, sent: bytes) -> socket.socket:
    """Return a connection over which something was sent."""
    parts = urlsplit(server.url)
    connection = socket.create_connection((parts.hostname, parts.port), timeout=PATIENCE_SECONDS)
    connection.sendall(sent)
    return connection


def answer(connection: socket.socket) -> bytes:
    """Return all that is answered until the server closes; a reset is an end too."""
    parts = []
    try:
        while part := connection.recv(1 << 16):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def page(server: Server) -> int:
    connection = http.client.HTTPConnection(server.netloc, timeout=PATIENCE_SECONDS)
    connection.request("GET", "/sign-in")
    status = connection.getresponse().status
    connection.close()
    return status


def test_more_half_sent_requests_than_places_leave_the_page_answering(server):
    n_over = connections.MAX_CONNECTIONS_OF_ADDRESS + 50
    with ExitStack() as kept:
        for _ in range(n_over):
            kept.enter_context(opened(server, HALF_SENT))
        assert page(server) == 200


def test_a_header_has_its_length_in_one_piece_or_many(server):
    begun = b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * bounds.MAX_HEADER_BYTES
    with opened(server, begun) as connection:
        assert answer(connection).startswith(b"HTTP/1.1 400")
    with opened(server, begun + b"\r\nConnection: close\r\n\r\n") as connection:
        assert re.match(rb"HTTP/1.1 (400|431)", answer(connection))


def test_an_address_has_its_length(server):
    head = b"GET /api/pixels/%s HTTP/1.1\r\nHost: localhost\r\n\r\n" % (b"9" * 5000)
    with opened(server, head) as connection:
        assert b"414" in answer(connection).split(b"\r\n")[0]


@pytest.mark.parametrize("path", ["/sign-in", "/", "/healthz"])
def test_a_body_that_announces_too_much_is_refused_unread(server, path):
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000000\r\n\r\n"
    with opened(server, head.encode()) as connection:
        assert b"413" in answer(connection).split(b"\r\n")[0]


def test_a_body_in_chunks_is_refused_where_it_grows_too_large(server):
    head = b"POST /sign-in HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\n"
    head += b"Transfer-Encoding: chunked\r\n\r\n"
    n_bytes = bounds.MAX_BODY_BYTES + 1
    chunk = b"%x\r\n" % n_bytes + b"x" * n_bytes
    with opened(server, head + chunk) as connection:
        assert b"413" in answer(connection).split(b"\r\n")[0]


def test_a_message_from_the_browser_has_its_size(server):
    administrator = accounts.ensure_administrator(server.ws, by=OPERATOR)
    link = accounts.issue_link(server.ws, administrator.id, by=OPERATOR)
    token = sessions.redeem_link(server.ws, link)
    with connect(
        f"ws://{server.netloc}/_stcore/stream",
        origin=server.url,
        subprotocols=["streamlit"],
        additional_headers={"Cookie": f"{SESSION_COOKIE}={token}"},
    ) as stream:
        stream.send(b"\0" * (connections.MAX_MESSAGE_BYTES + 1))
        with pytest.raises(ConnectionClosed):
            list(stream)
        assert stream.close_code == 1009


def test_the_log_of_all_this_is_short(server):
    for _ in range(100):
        opened(server, b"nonsense\r\n\r\n").close()
        opened(server, HALF_SENT).close()
    assert page(server) == 200
    assert len("".join(server.lines)) < 20_000
    assert "Traceback" not in "".join(server.lines)


# --- how long is waited, at a server in a thread -------------------------------------------------


async def reads_all(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that sets the limits as ours does, reads each request and answers it.

    What comes over a WebSocket it sends back.
    """
    if scope["type"] == "lifespan":
        await receive()
        connections.limit()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"]})
        return
    while (message := await receive())["type"] == "http.request" and message["more_body"]:
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"read"})


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    """The address of a server that waits for a fraction of a second."""
    waits = {"HEADER_SECONDS": 0.2, "BODY_SECONDS": 0.2, "LINGER_SECONDS": 0.1}
    for name, seconds in waits.items():
        monkeypatch.setattr(connections, name, seconds)
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(reads_all, lifespan="on", log_config=None))
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    yield listener.getsockname()
    server.should_exit = True
    thread.join()
    listener.close()


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: loc", HALF_SENT])
def test_a_request_that_does_not_come_is_not_waited_for(impatient, sent):
    with socket.create_connection(impatient, timeout=PATIENCE_SECONDS) as connection:
        connection.sendall(sent)
        assert answer(connection) == b""


def test_the_second_request_over_a_connection_is_not_waited_for_either(impatient):
    with socket.create_connection(impatient, timeout=PATIENCE_SECONDS) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" + b"GET /second")
        assert answer(connection).count(b"HTTP/1.1") == 1


def test_a_body_that_comes_fast_enough_has_all_the_time_it_needs(impatient, monkeypatch):
    monkeypatch.setattr(connections, "SLOWEST_BYTES_A_SECOND", 1)
    with socket.create_connection(impatient, timeout=PATIENCE_SECONDS) as connection:
        connection.sendall(HALF_SENT)
        connection.settimeout(1.0)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        connection.settimeout(PATIENCE_SECONDS)
        connection.sendall(b"x" * (5000 - len(b"name=a")))
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 200")


def test_a_page_that_says_nothing_for_a_while_keeps_its_line(impatient):
    host, port = impatient
    with connect(f"ws://{host}:{port}/") as stream:
        with pytest.raises(TimeoutError):
            stream.recv(timeout=1.0)
        stream.send("still here")
        assert stream.recv(timeout=PATIENCE_SECONDS) == "still here"


# --- who must go ---------------------------------------------------------------------------------


def taken(client: str, awaited_since: float | None) -> connections.Connection:
    """A connection as far as `Places` looks at it."""
    connection = connections.Connection.__new__(connections.Connection)
    connection.client, connection.awaited_since = (client, 1), awaited_since
    return connection


def test_the_place_of_whoever_has_kept_waiting_longest_is_given_away():
    patient, slow, newcomer = taken("a", None), taken("b", 1.0), taken("c", 3.0)
    everybody = [patient, taken("b", 2.0), slow, newcomer]
    assert Places(3, 9, ()).to_close(newcomer, everybody) is slow
    assert Places(4, 9, ()).to_close(newcomer, everybody) is None


def test_an_address_that_has_its_share_gives_up_a_place_of_its_own():
    slowest, its_own, newcomer = taken("b", 0.0), taken("a", 1.0), taken("a", 3.0)
    everybody = [slowest, its_own, newcomer]
    assert Places(9, 1, ()).to_close(newcomer, everybody) is its_own
    assert Places(9, 1, ("a",)).to_close(newcomer, everybody) is None


def test_the_newcomer_goes_where_nobody_keeps_the_server_waiting():
    newcomer = taken("a", None)
    assert Places(1, 9, ()).to_close(newcomer, [taken("b", None), newcomer]) is newcomer


def test_one_network_of_ipv6_is_one_address():
    first, newcomer = taken("2001:db8::1", 1.0), taken("2001:db8::2:3", 2.0)
    assert Places(9, 1, ()).to_close(newcomer, [first, newcomer]) is first
    mapped, plain = taken("::ffff:192.0.2.7", 1.0), taken("192.0.2.7", 2.0)
    assert Places(9, 1, ()).to_close(plain, [mapped, plain]) is mapped
