"""Connections that would hold the server up: how many there may be, how slowly a request may come.

uvicorn waits for the rest of a request for ever, so a thousand half-sent ones take every file
descriptor and stop the site. Here a request has its time, and where every place is taken, the
newcomer gets that of whoever has kept the server waiting longest
(docs/adr/0034-limits-at-the-server.md).
"""

import asyncio
import gc
import ipaddress
import logging
import resource
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import h11
import uvicorn
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from uvicorn.protocols.http.h11_impl import H11Protocol

from ui.http.bounded_log import BoundedLog
from ui.http.bounds import MAX_HEADER_BYTES

HEADER_SECONDS = 10.0
BODY_SECONDS = 20.0
SLOWEST_BYTES_A_SECOND = 1_000  # a body that comes at least this fast has more time
LINGER_SECONDS = 2.0  # for the rest of a body that was answered unread
MAX_MESSAGE_BYTES = 1_000_000  # from the browser, over the WebSocket
MAX_CONNECTIONS = 2_000
MAX_CONNECTIONS_OF_ADDRESS = 500  # seventy readers' browsers behind one address of a hospital's
MAX_OPEN_FILES = 16_384
OTHER_FILES = 512  # database, artifacts, exports, pipes
LOGGERS = ("uvicorn.error", "asyncio", __name__)

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Places:
    """How many connections there may be at once.

    Attributes:
        n_all: In all.
        n_of_address: From one address, or from one /64 network of IPv6.
        proxies: Addresses that stand for many readers: only the first limit is theirs.
    """

    n_all: int
    n_of_address: int
    proxies: Any

    def to_close(self, newcomer: "Connection", everybody: Iterable[Any]) -> "Connection | None":
        """Return whose place a newcomer takes; itself where nobody keeps the server waiting."""
        everybody = list(everybody)
        address = _address(newcomer)
        same = [other for other in everybody if _address(other) == address]
        host = newcomer.client[0] if newcomer.client else ""
        if host not in self.proxies and len(same) > self.n_of_address:
            return _longest_awaited(same) or newcomer
        if len(everybody) > self.n_all:
            return _longest_awaited(everybody) or newcomer
        return None


class Connection(H11Protocol):
    """A connection whose request has its time to arrive.

    Attributes:
        awaited_since: Since when the rest of a request, or the next one, is awaited, by the loop's
            clock; None while one is being answered.
    """

    def __init__(self, *, places: Places, **given: Any) -> None:
        super().__init__(**given)
        self.awaited_since: float | None = None
        self._places = places
        self._n_bytes = 0
        self._allowed_seconds = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Take a place: a free one, or somebody's who keeps the server waiting."""
        super().connection_made(transport)
        if other := self._places.to_close(self, self.connections):
            other.drop("every place was taken")
        if not transport.is_closing():
            self._await(HEADER_SECONDS)

    def data_received(self, data: bytes) -> None:
        """Read on, and look how much of the request is still to come."""
        before = self.conn.their_state
        self._n_bytes += len(data)
        super().data_received(data)
        awaited = self.conn.their_state
        # What became a WebSocket still looks to h11 like a request with its body to come.
        is_ours = self.transport.get_protocol() is self and not self.transport.is_closing()
        if not is_ours or awaited not in {h11.IDLE, h11.SEND_BODY}:
            self._await(None)
        elif self._timer is None or awaited is not before:
            self._await(HEADER_SECONDS if awaited is h11.IDLE else BODY_SECONDS)
            self._n_bytes = len(data)

    def on_response_complete(self) -> None:
        """Await the next request, for which uvicorn has a limit; not much of this one's body."""
        super().on_response_complete()
        self.awaited_since = self.loop.time()
        if self.conn.their_state is h11.SEND_BODY:
            self._await(LINGER_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._await(None)
        super().connection_lost(exc)

    def drop(self, why: str) -> None:
        """Close at once, without an answer."""
        _log.warning("a connection was closed: %s", why)
        self.connections.discard(self)
        self._await(None)
        self.transport.abort()

    def _await(self, seconds: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.awaited_since = None
        if seconds is not None:
            self.awaited_since = self.loop.time()
            self._n_bytes, self._allowed_seconds = 0, seconds
            self._timer = self.loop.call_later(seconds, self._look_again)

    def _look_again(self) -> None:
        """Drop the connection, unless a body comes fast enough or we ourselves do not read it."""
        allowed = self._allowed_seconds
        if self.conn.their_state is h11.SEND_BODY and allowed > LINGER_SECONDS:
            allowed += self._n_bytes / SLOWEST_BYTES_A_SECOND
        left = (self.awaited_since or 0.0) + allowed - self.loop.time()
        if self.flow.read_paused:
            left = max(left, BODY_SECONDS)
        if left <= 0:
            self.drop("the rest of its request did not come in time")
        else:
            self._timer = self.loop.call_later(left, self._look_again)


def limit() -> None:
    """Set the limits of the server that this process is about to become.

    Streamlit makes uvicorn's configuration without asking anybody, and starts the application
    before it listens: what the application changes then holds for every connection.
    """
    for logger in LOGGERS:
        logging.getLogger(logger).addFilter(BoundedLog())
    for server in gc.get_objects():
        if type(server) is uvicorn.Server:
            config = server.config
            config.h11_max_incomplete_event_size = MAX_HEADER_BYTES
            config.ws_max_size = MAX_MESSAGE_BYTES
            places = Places(_n_places(), MAX_CONNECTIONS_OF_ADDRESS, _proxies(config))
            config.http_protocol_class = partial(Connection, places=places)  # type: ignore[assignment]


def _n_places() -> int:
    """Return how many connections the open files that are allowed suffice for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(soft, min(hard, MAX_OPEN_FILES))
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return max(wanted // 4, min(MAX_CONNECTIONS, wanted - OTHER_FILES))


def _proxies(config: uvicorn.Config) -> Any:
    return ProxyHeadersMiddleware(config.app, config.forwarded_allow_ips).trusted_hosts  # type: ignore[arg-type]


def _longest_awaited(connections: Collection[Any]) -> Connection | None:
    awaited = [
        other
        for other in connections
        if isinstance(other, Connection) and other.awaited_since is not None
    ]
    return min(awaited, key=lambda other: other.awaited_since or 0.0, default=None)


def _address(connection: Any) -> str:
    """Return where a connection comes from; of IPv6 the network, which is one subscriber's."""
    host = connection.client[0] if connection.client else ""
    if ":" not in host:
        return str(host)
    address = ipaddress.IPv6Address(host.partition("%")[0])
    return str(address.ipv4_mapped or ipaddress.ip_network(f"{address}/64", strict=False))
