"""The gate: no request without a session gets past it, over HTTP or WebSocket.

What is open is listed by exact path; everything else is closed, whatever its spelling, so a new
route of ours or of Streamlit's is closed until somebody opens it here.
"""

from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from db.types import AccessKind
from review.access import sessions
from review.access.accounts import AccountView
from review.access.tokens import token_sha256
from review.settings import Settings
from review.whence import Whence, come_from
from review.workspace import Workspace
from ui.http import proxy
from ui.http.addresses import client_address, host_allowed, same_origin, sign_in_address
from ui.http.browsers import browser_words
from ui.http.cookies import session_token

OPEN_PATHS = frozenset(
    {
        "/_stcore/health",
        "/api/session",
        "/healthz",
        "/metrics",  # asks for a token of its own
        "/readyz",
        "/sign-in",
        "/sign-in/code",
        "/sign-in/link",
        "/sign-in/openid",
        "/sign-in/openid/back",
        "/sign-in/openid/leave",
        "/sign-in/set-up",
        "/sign-in/style.css",
        "/sign-out",
    }
)
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
SIGN_IN = "/sign-in"  # what begins so opens sessions
SESSION_ENDED = 4401
Find = Callable[[Workspace, str], AccountView | None]
# Tells the pages where their connection came from; what a browser sends under this name is dropped.
ADDRESS_HEADER = "x-second-look-address"


class Gate:
    """ASGI middleware that lets through what is open and what carries a live session.

    Args:
        app: The application behind the gate.
        workspace: Opens the workspace that holds the sessions.
    """

    def __init__(self, app: ASGIApp, workspace: Callable[[], Workspace]) -> None:
        self._app = app
        self._workspace = workspace

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        settings = self._workspace().settings
        come_from(_whence(scope, settings))
        proxy.heed(scope, settings)
        headers, public_url = Headers(scope=scope), settings.public_url
        if not host_allowed(headers.get("host"), public_url):
            await self._note_refusal(scope, "under a name that is not this server's")
            return await _unknown_host(headers.get("host", ""))(scope, receive, send)
        proven = scope["path"].startswith(SIGN_IN)
        safe = scope["method"] in SAFE_METHODS
        if not safe and not same_origin(headers, public_url, proven=proven):
            await self._note_refusal(scope, "sent from another site")
            return await PlainTextResponse("Sent from another site.", 403)(scope, receive, send)
        if scope["path"] not in OPEN_PATHS:
            # A person opens a page; what an open one fetches by itself is nobody's activity.
            find = sessions.touch if _navigates(headers) else sessions.account_of
            account = await self._account(scope, find)
            if account is None:
                return await _ask_to_sign_in(scope, headers)(scope, receive, send)
            scope.setdefault("state", {})["account"] = account
        return await self._app(scope, receive, send)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        settings = self._workspace().settings
        come_from(_whence(scope, settings))
        proxy.heed(scope, settings)
        headers, public_url = Headers(scope=scope), settings.public_url
        ours = host_allowed(headers.get("host"), public_url) and same_origin(headers, public_url)
        if not ours:
            await self._note_refusal(scope, "sent from another site")
        if not ours or await self._account(scope) is None:
            await receive()
            await send({"type": "websocket.close", "code": SESSION_ENDED})
            return
        scope["headers"] = _with_address(scope)
        ended = False

        async def watched_receive() -> Message:
            nonlocal ended
            message = await receive()
            if message["type"] == "websocket.receive" and not ended:
                ended = await self._account(scope) is None
                if ended:
                    await send({"type": "websocket.close", "code": SESSION_ENDED})
                    return {"type": "websocket.disconnect", "code": SESSION_ENDED}
            return message

        async def watched_send(message: Message) -> None:
            if not ended:
                await send(message)

        await self._app(scope, watched_receive, watched_send)

    async def _account(self, scope: Scope, find: Find = sessions.account_of) -> AccountView | None:
        ws = self._workspace()
        token = session_token(scope, ws.settings)
        return await run_in_threadpool(find, ws, token) if token else None

    async def _note_refusal(self, scope: Scope, why: str) -> None:
        """Record that a signed-in account's request was refused here; strangers' are not told."""
        ws = self._workspace()
        token = session_token(scope, ws.settings)
        account = await run_in_threadpool(sessions.account_of, ws, token)
        if account is not None:
            await run_in_threadpool(ws.trail.note_at_once, AccessKind.REFUSED, account.id, why=why)


def _whence(scope: Scope, settings: Settings) -> Whence:
    token = session_token(scope, settings)
    browser = browser_words(Headers(scope=scope).get("user-agent", ""))
    sha256 = token_sha256(token) if token else None
    return Whence(sha256, client_address(scope), browser=browser)


def _navigates(headers: Headers) -> bool:
    return headers.get("sec-fetch-mode") == "navigate"


def _with_address(scope: Scope) -> list[tuple[bytes, bytes]]:
    name = ADDRESS_HEADER.encode()
    sent = [(key, value) for key, value in scope["headers"] if key.lower() != name]
    return [*sent, (name, client_address(scope).encode())]


def _ask_to_sign_in(scope: Scope, headers: Headers) -> Response:
    navigates = headers.get("sec-fetch-mode", "navigate") == "navigate"
    if navigates and "text/html" in headers.get("accept", ""):
        return RedirectResponse(sign_in_address(scope["path"], scope["query_string"]), 303)
    return PlainTextResponse("Sign in first.", 401)


def _unknown_host(host: str) -> Response:
    return PlainTextResponse(
        f"This server does not answer to the name {host!r}. Set SECOND_LOOK_PUBLIC_URL to the "
        "address at which readers reach it.",
        400,
    )
