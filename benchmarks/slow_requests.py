"""Half-sent requests against the real server, and how long the page takes meanwhile.

`python -m benchmarks.slow_requests` starts a server over a new home, opens so many connections that
send half a form and no more, and asks for the sign-in page again and again.
"""

import argparse
import http.client
import resource
import socket
import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

from tests.server import Server, running

HALF_SENT = b"POST /sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000\r\n\r\nname=a"
NO_PROXY = "192.0.2.1"  # so that loopback counts as one address of many


def main() -> None:
    """Measure and print one line a situation."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.slow_requests", description=__doc__)
    parser.add_argument("--requests", type=int, default=1_100)
    parser.add_argument("--pages", type=int, default=20)
    options = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 1024), hard))  # as most systems start one
    for words, proxies in (("one address", NO_PROXY), ("behind a proxy", "127.0.0.1")):
        with tempfile.TemporaryDirectory() as home:
            with running(Path(home), FORWARDED_ALLOW_IPS=proxies) as server:
                resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
                alone = _pages(server, options.pages)
                with ExitStack() as kept:
                    for _ in range(options.requests):
                        kept.enter_context(_half_sent(server))
                    beside = _pages(server, options.pages)
            log = sum(map(len, server.lines))
        print(
            f"{options.requests} half-sent requests, {words}: page median "
            f"{statistics.median(alone):.3f} s alone, {statistics.median(beside):.3f} s beside "
            f"them, longest {max(beside):.3f} s; log {log:,} bytes"
        )
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 1024), hard))


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
            raise SystemExit(f"the page answered {answer.status}")
        seconds.append(time.perf_counter() - began)
    return seconds


if __name__ == "__main__":
    main()
