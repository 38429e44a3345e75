"""Routes that open and end a session, outside the gate."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from db.errors import StorageError
from review.access import sessions
from review.access.accounts import AccountView
from review.errors import AccessError, LinkError, SecondFactorNeededError, SignInLockedError
from ui.http import second_step, sign_in_page
from ui.http.addresses import local_path
from ui.http.cookies import WAITING_COOKIE, session_token, take_session
from ui.http.forms import admit, fields, html, unable
from ui.http.sign_in_page import NOTICES, Notice
from ui.workspace import workspace

SPENT = "/sign-in?state=link"


async def show_form(request: Request) -> Response:
    """Draw the form, or go on if the browser is signed in already."""
    next_path = local_path(request.query_params.get("next"))
    if await _holder(request):
        return RedirectResponse(next_path, 303)
    notice = NOTICES.get(request.query_params.get("state", ""))
    elsewhere = request.query_params.get("provider") == "signed-in"
    return html(sign_in_page.form(notice=notice, next_path=next_path, elsewhere=elsewhere))


async def enter(request: Request) -> Response:
    """Sign in by name and password."""
    sent = await fields(request)
    name, next_path = sent.get("name", ""), local_path(sent.get("next"))
    try:
        token = await run_in_threadpool(
            sessions.sign_in, workspace(), name, sent.get("password", "")
        )
    except SecondFactorNeededError as exc:
        return second_step.wait(exc.token, next_path)
    except SignInLockedError as exc:
        page = sign_in_page.form(notice=Notice("warn", str(exc)), name=name, next_path=next_path)
        return html(page, status=429, headers={"Retry-After": str(exc.seconds)})
    except AccessError as exc:
        page = sign_in_page.form(notice=Notice("bad", str(exc)), name=name, next_path=next_path)
        return html(page, status=401)
    except StorageError as exc:
        page = sign_in_page.form(notice=Notice("bad", unable(exc)), name=name, next_path=next_path)
        return html(page, status=503)
    return await admit(RedirectResponse(next_path, 303), token, request)


async def show_link(request: Request) -> Response:
    """Ask whether to sign in by a one-time link; who only looks, as mail scanners do, spends none.

    From another site's page the browser holds the strict cookie back, which says who is signed in:
    the page then asks for itself again.
    """
    if request.headers.get("sec-fetch-site") == "cross-site":
        return html(sign_in_page.once_more())
    token = request.query_params.get("token", "")
    try:
        offer = await run_in_threadpool(sessions.look_at_link, workspace(), token)
    except LinkError:
        return RedirectResponse(SPENT, 303)
    except StorageError as exc:
        return html(sign_in_page.form(notice=Notice("bad", unable(exc))), status=503)
    return html(sign_in_page.link(offer, token, await _holder(request)))


async def redeem(request: Request) -> Response:
    """Sign in by a one-time link, from the page that asked."""
    sent = await fields(request)
    try:
        token = await run_in_threadpool(sessions.redeem_link, workspace(), sent.get("token", ""))
    except SecondFactorNeededError as exc:
        return second_step.wait(exc.token, "/")
    except LinkError:
        return RedirectResponse(SPENT, 303)
    except StorageError as exc:
        return html(sign_in_page.form(notice=Notice("bad", unable(exc))), status=503)
    return await admit(RedirectResponse("/", 303), token, request)


async def leave(request: Request) -> Response:
    """End the session; from another site's page the browser sends no cookie, so nothing ends."""
    settings = workspace().settings
    state, elsewhere = "waiting" if WAITING_COOKIE in request.cookies else "signed-out", ""
    if token := session_token(request.scope, settings):
        way = await run_in_threadpool(sessions.sign_out, workspace(), token)
        elsewhere = "&provider=signed-in" if way == sessions.OPENID else ""
    page = RedirectResponse(f"/sign-in?state={state}{elsewhere}", 303)
    return take_session(page, request, settings)


async def style(_request: Request) -> Response:
    """Serve the page's stylesheet."""
    return Response(
        sign_in_page.STYLE, media_type="text/css", headers={"Cache-Control": "max-age=3600"}
    )


async def _holder(request: Request) -> AccountView | None:
    """Return who is signed in in the browser."""
    ws = workspace()
    token = session_token(request.scope, ws.settings)
    return await run_in_threadpool(sessions.account_of, ws, token)


ROUTES = [
    Route("/sign-in", show_form, methods=["GET"]),
    Route("/sign-in", enter, methods=["POST"]),
    Route("/sign-in/link", show_link, methods=["GET"]),
    Route("/sign-in/link", redeem, methods=["POST"]),
    Route("/sign-in/style.css", style, methods=["GET"]),
    Route("/sign-out", leave, methods=["GET"]),
]
