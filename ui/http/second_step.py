"""Routes of the second factor: the code while signing in, and setting a second factor up."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from db.errors import StorageError
from review.access import second_factor, second_step, ways
from review.access.accounts import AccountView
from review.access.pending import PENDING
from review.access.second_factor import Offer
from review.errors import AccessError, CodesLockedError, SecondStepError
from ui.http import second_step_page
from ui.http.addresses import local_path, sign_in_path
from ui.http.cookies import guarded
from ui.http.forms import admit, fields, html, unable
from ui.http.sign_in_page import Notice
from ui.workspace import workspace

COOKIE = "second_look_pending"
CODE, SET_UP, OWN = "/sign-in/code", "/sign-in/set-up", "/second-factor"
ACCOUNT = "/account"
AGAIN = "/sign-in?state=again"


def wait(token: str, next_path: str) -> Response:
    """Lead to the second step; the browser keeps a token that is no session's."""
    response = RedirectResponse(sign_in_path(CODE, next_path), 303)
    settings = workspace().settings
    response.set_cookie(
        guarded(COOKIE, settings),
        token,
        max_age=int(PENDING.total_seconds()),
        httponly=True,
        samesite="strict",
        secure=settings.is_https,
    )
    return response


async def show_code(request: Request) -> Response:
    """Ask for a code, or lead to setting a second factor up."""
    waiting = await _waiting(request)
    next_path = local_path(request.query_params.get("next"))
    if waiting is None:
        return RedirectResponse(AGAIN, 303)
    if waiting.sets_up:
        return RedirectResponse(sign_in_path(SET_UP, next_path), 303)
    return html(second_step_page.code(next_path=next_path))


async def enter_code(request: Request) -> Response:
    """Let in who has a code."""
    sent = await fields(request)
    next_path = local_path(sent.get("next"))
    try:
        token = await run_in_threadpool(
            second_step.enter, workspace(), _token(request), sent.get("code", "")
        )
    except SecondStepError:
        return RedirectResponse(AGAIN, 303)
    except AccessError as exc:
        status = 429 if isinstance(exc, CodesLockedError) else 401
        page = second_step_page.code(notice=Notice("bad", str(exc)), next_path=next_path)
        return html(page, status=status)
    except StorageError as exc:
        page = second_step_page.code(notice=Notice("bad", unable(exc)), next_path=next_path)
        return html(page, status=503)
    return await _entered(RedirectResponse(next_path, 303), token, request)


async def show_set_up(request: Request) -> Response:
    """Offer a secret to somebody who has to have a second factor before they come in."""
    waiting = await _waiting(request)
    next_path = local_path(request.query_params.get("next"))
    if waiting is None:
        return RedirectResponse(AGAIN, 303)
    if not waiting.sets_up:
        return RedirectResponse(sign_in_path(CODE, next_path), 303)
    offer = second_factor.offer(workspace(), waiting.account)
    return html(second_step_page.set_up(offer, action=SET_UP, next_path=next_path))


async def enter_set_up(request: Request) -> Response:
    """Set their second factor up, and let them in."""
    waiting = await _waiting(request)
    if waiting is None:
        return RedirectResponse(AGAIN, 303)
    sent = await fields(request)
    next_path, sealed = local_path(sent.get("next")), sent.get("offer", "")
    try:
        token, shown = await run_in_threadpool(
            second_step.enter_by_setting_up,
            workspace(),
            _token(request),
            sealed,
            sent.get("code", ""),
        )
    except SecondStepError:
        return RedirectResponse(AGAIN, 303)
    except (AccessError, StorageError) as exc:
        offer, notice = _offer_again(waiting.account, sealed), Notice("bad", str(exc))
        page = second_step_page.set_up(offer, action=SET_UP, notice=notice, next_path=next_path)
        return html(page, status=503 if isinstance(exc, StorageError) else 401)
    page = second_step_page.recovery_codes(shown, name=waiting.account.name, next_path=next_path)
    return await _entered(html(page), token, request)


async def show_own(request: Request) -> Response:
    """Offer a secret to somebody who is signed in."""
    account: AccountView = request.state.account
    own = await run_in_threadpool(ways.own_ways, workspace(), account.id)
    if own.issuer or own.second_factor:
        return RedirectResponse(ACCOUNT, 303)
    offer = second_factor.offer(workspace(), account)
    return html(second_step_page.set_up(offer, action=OWN, holder=account))


async def set_up_own(request: Request) -> Response:
    """Set the second factor of somebody up who is signed in."""
    account: AccountView = request.state.account
    sent = await fields(request)
    sealed = sent.get("offer", "")
    try:
        shown = await run_in_threadpool(
            second_factor.set_up,
            workspace(),
            account.id,
            sealed,
            sent.get("code", ""),
            password=sent.get("password", ""),
        )
    except (AccessError, StorageError) as exc:
        offer, notice = _offer_again(account, sealed), Notice("bad", str(exc))
        page = second_step_page.set_up(offer, action=OWN, holder=account, notice=notice)
        return html(page, status=503 if isinstance(exc, StorageError) else 401)
    return html(second_step_page.recovery_codes(shown, name=account.name, next_path=ACCOUNT))


def _offer_again(account: AccountView, sealed: str) -> Offer:
    """Return the same secret, which is in the authenticator by now; a new one if it is too old."""
    try:
        return second_factor.offered(workspace(), account, sealed)
    except AccessError:
        return second_factor.offer(workspace(), account)


async def _waiting(request: Request) -> second_step.Waiting | None:
    token = _token(request)
    return await run_in_threadpool(second_step.waiting, workspace(), token) if token else None


def _token(request: Request) -> str | None:
    return request.cookies.get(guarded(COOKIE, workspace().settings))


async def _entered(response: Response, token: str, request: Request) -> Response:
    settings = workspace().settings
    response.delete_cookie(
        guarded(COOKIE, settings), httponly=True, samesite="strict", secure=settings.is_https
    )
    return await admit(response, token, request)


ROUTES = [
    Route(CODE, show_code, methods=["GET"]),
    Route(CODE, enter_code, methods=["POST"]),
    Route(SET_UP, show_set_up, methods=["GET"]),
    Route(SET_UP, enter_set_up, methods=["POST"]),
    Route(OWN, show_own, methods=["GET"]),
    Route(OWN, set_up_own, methods=["POST"]),
]
