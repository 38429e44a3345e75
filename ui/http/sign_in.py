"""Routes that open and end a session, outside the gate."""

from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from db.errors import StorageError
from review.access import sessions
from review.access.accounts import AccountView
from review.errors import AccessError, LinkError, SignInLockedError
from ui.http import sign_in_page
from ui.http.addresses import local_path
from ui.http.bodies import body_of
from ui.http.cookies import WAITING_COOKIE, give_session, session_token, take_session
from ui.http.sign_in_page import NOTICES, Notice
from ui.workspace import workspace

MAX_FORM_BYTES = 8 * 1024
SPENT = "/sign-in?state=link"
POLICY = (
    "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)


async def show_form(request: Request) -> Response:
    """Draw the form, or go on if the browser is signed in already."""
    next_path = local_path(request.query_params.get("next"))
    if await _holder(request):
        return RedirectResponse(next_path, 303)
    notice = NOTICES.get(request.query_params.get("state", ""))
    return _html(sign_in_page.form(notice=notice, next_path=next_path))


async def enter(request: Request) -> Response:
    """Sign in by name and password."""
    fields = await _fields(request)
    if fields is None:
        return PlainTextResponse(f"The form holds more than {MAX_FORM_BYTES} bytes.", 413)
    name, next_path = fields.get("name", ""), local_path(fields.get("next"))
    try:
        token = await run_in_threadpool(
            sessions.sign_in, workspace(), name, fields.get("password", "")
        )
    except SignInLockedError as exc:
        page = sign_in_page.form(notice=Notice("warn", str(exc)), name=name, next_path=next_path)
        return _html(page, status=429, headers={"Retry-After": str(exc.seconds)})
    except AccessError as exc:
        page = sign_in_page.form(notice=Notice("bad", str(exc)), name=name, next_path=next_path)
        return _html(page, status=401)
    except StorageError as exc:
        page = sign_in_page.form(notice=Notice("bad", _unable(exc)), name=name, next_path=next_path)
        return _html(page, status=503)
    return await _admit(RedirectResponse(next_path, 303), token, request)


async def show_link(request: Request) -> Response:
    """Ask whether to sign in by a one-time link; who only looks, as mail scanners do, spends none.

    From another site's page the browser holds the strict cookie back, which says who is signed in:
    the page then asks for itself again.
    """
    if request.headers.get("sec-fetch-site") == "cross-site":
        return _html(sign_in_page.once_more())
    token = request.query_params.get("token", "")
    try:
        offer = await run_in_threadpool(sessions.look_at_link, workspace(), token)
    except LinkError:
        return RedirectResponse(SPENT, 303)
    except StorageError as exc:
        return _html(sign_in_page.form(notice=Notice("bad", _unable(exc))), status=503)
    return _html(sign_in_page.link(offer, token, await _holder(request)))


async def redeem(request: Request) -> Response:
    """Sign in by a one-time link, from the page that asked."""
    fields = await _fields(request)
    if fields is None:
        return PlainTextResponse(f"The form holds more than {MAX_FORM_BYTES} bytes.", 413)
    try:
        token = await run_in_threadpool(sessions.redeem_link, workspace(), fields.get("token", ""))
    except LinkError:
        return RedirectResponse(SPENT, 303)
    except StorageError as exc:
        return _html(sign_in_page.form(notice=Notice("bad", _unable(exc))), status=503)
    return await _admit(RedirectResponse("/", 303), token, request)


async def leave(request: Request) -> Response:
    """End the session; from another site's page the browser sends no cookie, so nothing ends."""
    settings = workspace().settings
    if token := session_token(request.scope, settings):
        await run_in_threadpool(sessions.sign_out, workspace(), token)
    state = "waiting" if WAITING_COOKIE in request.cookies else "signed-out"
    return take_session(RedirectResponse(f"/sign-in?state={state}", 303), request, settings)


async def style(_request: Request) -> Response:
    """Serve the page's stylesheet."""
    return Response(
        sign_in_page.STYLE, media_type="text/css", headers={"Cache-Control": "max-age=3600"}
    )


async def _admit(response: Response, token: str, request: Request) -> Response:
    """Give the browser its new session, and end the one it had."""
    settings = workspace().settings
    if former := session_token(request.scope, settings):
        await run_in_threadpool(sessions.sign_out, workspace(), former)
    return give_session(response, token, settings)


async def _holder(request: Request) -> AccountView | None:
    """Return who is signed in in the browser."""
    ws = workspace()
    token = session_token(request.scope, ws.settings)
    return await run_in_threadpool(sessions.account_of, ws, token)


def _unable(exc: StorageError) -> str:
    return f"Nobody can be signed in now: {exc}. Tell an administrator."


async def _fields(request: Request) -> dict[str, str] | None:
    body = await body_of(request, MAX_FORM_BYTES)
    if body is None:
        return None
    fields = parse_qs(body.decode(errors="replace"), keep_blank_values=True)
    return {name: values[0] for name, values in fields.items()}


def _html(page: str, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return HTMLResponse(page, status, headers={"Content-Security-Policy": POLICY} | (headers or {}))


ROUTES = [
    Route("/sign-in", show_form, methods=["GET"]),
    Route("/sign-in", enter, methods=["POST"]),
    Route("/sign-in/link", show_link, methods=["GET"]),
    Route("/sign-in/link", redeem, methods=["POST"]),
    Route("/sign-in/style.css", style, methods=["GET"]),
    Route("/sign-out", leave, methods=["GET"]),
]
