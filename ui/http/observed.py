"""Every request gets an id, and tells how long it took: to the log, if one is kept, and figures.

What is told of a request is the pattern of its route, not its path and never its query: those may
hold a sign-in link, or whatever somebody typed.
"""

import logging
import re
import secrets
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from review.processes import logs
from ui.http.metrics import CONNECTIONS, DURATIONS

HEADER = "X-Request-ID"
WELL_FORMED = re.compile(r"[A-Za-z0-9-]{8,64}")
METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
OTHER = "other"  # a file of the page itself, or refused by the gate, or nothing is there

_log = logging.getLogger(__name__)


class Observed:
    """ASGI middleware, the outermost: what it sees is what was answered."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        sent = Headers(scope=scope).get(HEADER, "")
        # A proxy may have given it one already, by which its own log knows it.
        name = sent if WELL_FORMED.fullmatch(sent) else secrets.token_hex(8)
        before = logs.request_id.set(name)
        try:
            serve = self._http if scope["type"] == "http" else self._websocket
            await serve(name, scope, receive, send)
        finally:
            logs.request_id.reset(before)

    async def _http(self, name: str, scope: Scope, receive: Receive, send: Send) -> None:
        began, status = time.perf_counter(), 500

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[HEADER] = name
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            seconds = time.perf_counter() - began
            method = scope["method"] if scope["method"] in METHODS else "other"
            route = str(getattr(scope.get("route"), "path", OTHER)) or OTHER
            DURATIONS.labels(method, route, str(status)).observe(seconds)
            if route != OTHER or status >= 400:  # a page has a hundred files
                told = {"method": method, "route": route, "status": status}
                _tell("request", **told, seconds=round(seconds, 4))

    async def _websocket(self, _name: str, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        with CONNECTIONS.track_inprogress():
            _tell("connection opened")
            try:
                await self._app(scope, receive, send)
            finally:
                _tell("connection closed", seconds=round(time.perf_counter() - began, 1))


def _tell(words: str, **fields: object) -> None:
    if logs.is_structured():
        _log.info(words, extra={"fields": fields})
