"""How large a request may be: small, except where files are uploaded."""

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_HEADER_BYTES = 16 * 1024
MAX_BODY_BYTES = 64 * 1024
MAX_PATH = 1_000  # characters; a number in it must not be longer than Python reads
OWN_UPLOADS = "/api/upload/"  # `ui.http.uploads` bounds them, and writes them to disk
# Streamlit holds its own against `server.maxUploadSize`: models, which are kept in memory.
UPLOADS = (OWN_UPLOADS, "/_stcore/upload_file/")


class _TooLargeError(Exception):
    """More bytes came than are allowed."""


class BoundedRequests:
    """ASGI middleware that refuses large requests and minds no broken-off one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        n_header_bytes = sum(len(name) + len(value) for name, value in scope.get("headers", ()))
        if scope["type"] == "http" and n_header_bytes > MAX_HEADER_BYTES:
            # h11 holds against its limit only what comes in more than one piece.
            words = f"The request's header has more than {MAX_HEADER_BYTES} bytes."
            await PlainTextResponse(words, 431)(scope, receive, send)
        elif scope["type"] == "http" and len(scope["path"]) > MAX_PATH:
            words = f"The address is longer than {MAX_PATH} characters."
            await PlainTextResponse(words, 414)(scope, receive, send)
        elif scope["type"] == "http" and not scope["path"].startswith(UPLOADS):
            await self._bounded(scope, receive, send)
        else:
            await self._serve(scope, receive, send)

    async def _bounded(self, scope: Scope, receive: Receive, send: Send) -> None:
        announced = Headers(scope=scope).get("content-length", "0")
        n_bytes = int(announced) if announced.isdecimal() else 0
        answered = False

        async def counted() -> Message:
            nonlocal n_bytes
            message = await receive()
            n_bytes += len(message.get("body", b""))
            if n_bytes > MAX_BODY_BYTES:
                raise _TooLargeError
            return message

        async def noted(message: Message) -> None:
            nonlocal answered
            answered = True
            await send(message)

        try:
            if n_bytes > MAX_BODY_BYTES:
                raise _TooLargeError
            n_bytes = 0
            await self._serve(scope, counted, noted)
        except _TooLargeError:
            if not answered:
                words = f"The request carries more than {MAX_BODY_BYTES} bytes."
                await PlainTextResponse(words, 413)(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve it; a request that is broken off halfway is nobody's error."""
        try:
            await self._app(scope, receive, send)
        except ClientDisconnect:
            return
