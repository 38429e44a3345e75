"""What the pages outside the gate share: reading a form, answering HTML, giving a session."""

from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from db.errors import StorageError
from review.access import sessions
from ui.http.bodies import body_of
from ui.http.cookies import give_session, session_token
from ui.workspace import workspace

MAX_FORM_BYTES = 8 * 1024
POLICY = (
    "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)


async def fields(request: Request) -> dict[str, str]:
    """Return the form that was sent.

    Raises:
        HTTPException: If it is too large.
    """
    body = await body_of(request, MAX_FORM_BYTES)
    if body is None:
        raise HTTPException(413, f"The form holds more than {MAX_FORM_BYTES} bytes.")
    sent = parse_qs(body.decode(errors="replace"), keep_blank_values=True)
    return {name: values[0] for name, values in sent.items()}


def html(page: str, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return a page that loads nothing but our stylesheet and sends nothing elsewhere."""
    return HTMLResponse(page, status, headers={"Content-Security-Policy": POLICY} | (headers or {}))


async def admit(response: Response, token: str, request: Request) -> Response:
    """Give the browser its new session, and end the one it had."""
    settings = workspace().settings
    if former := session_token(request.scope, settings):
        await run_in_threadpool(sessions.sign_out, workspace(), former)
    return give_session(response, token, settings)


def unable(exc: StorageError) -> str:
    """Return in words that nothing can be recorded, and so nobody let in."""
    return f"Nobody can be signed in now: {exc}. Tell an administrator."
