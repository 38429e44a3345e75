"""Half-sent requests against the real server, and how long the page takes meanwhile."""

import http.client
import resource
import socket
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

from benchmarks.reliability.room import Room, Row
from tests.server import Server, running

HALF_SENT = b"POST /sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000\r\n\r\nname=a"
NO_PROXY = "192.0.2.1"  # so that loopback counts as one address of many
N_PAGES = 20
OPEN_FILES = 1024  # as most systems start a server


def rows(room: Room) -> Iterator[Row]:
    """Yield a row for each place where such requests come from."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for words, proxies in (("one address", NO_PROXY), ("behind a proxy", "127.0.0.1")):
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, OPEN_FILES), hard))
        home = room.site("SQLite").home
        with running(home, FORWARDED_ALLOW_IPS=proxies) as server, ExitStack() as kept:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            alone = _pages(server, N_PAGES)
            for _ in range(room.scale.n_requests):
                kept.enter_context(_half_sent(server))
            beside = _pages(server, N_PAGES)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        yield {
            "half-sent requests": room.scale.n_requests,
            "from": words,
            "page alone, median, s": statistics.median(alone),
            "beside them, median, s": statistics.median(beside),
            "longest, s": max(beside),
            "log, bytes": sum(map(len, server.lines)),
        }


def _half_sent(server: Server) -> socket.socket:
    parts = urlsplit(server.url)
    connection = socket.create_connection((parts.hostname, parts.port), timeout=60)
    connection.sendall(HALF_SENT)
    return connection


def _pages(server: Server, n: int) -> list[float]:
    seconds = []
    for _ in range(n):
        began = time.perf_counter()
        connection = http.client.HTTPConnection(server.netloc, timeout=60)
        connection.request("GET", "/sign-in")
        answer = connection.getresponse()
        answer.read()
        connection.close()
        if answer.status != 200:
            raise RuntimeError(f"the page answered {answer.status}")
        seconds.append(time.perf_counter() - began)
    return seconds
