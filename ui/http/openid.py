"""Routes that lead to the site's OpenID provider and back.

What they need is loaded when somebody comes this way: a site without a provider never does.
"""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from db.errors import StorageError
from review.access import openid_settings
from review.errors import OpenIdError
from ui.http import sign_in_page
from ui.http.addresses import local_path
from ui.http.cookies import guarded
from ui.http.forms import admit, html, unable
from ui.http.sign_in_page import Notice
from ui.workspace import workspace

COOKIE = "second_look_openid"
BEGIN, BACK, LEAVE = "/sign-in/openid", "/sign-in/openid/back", "/sign-in/openid/leave"
WAITS_SECONDS = 600


async def begin(request: Request) -> Response:
    """Send the browser to the provider."""
    if not _opens(request):
        return _only_opened()
    if openid_settings.load() is None:
        return RedirectResponse("/sign-in", 303)
    next_path = local_path(request.query_params.get("next"))
    try:
        address, kept = await run_in_threadpool(_begin, next_path, _base(request) + BACK)
    except OpenIdError as exc:
        return _failed(str(exc), 502, next_path)
    response = RedirectResponse(address, 303)
    # Lax, for the provider's page leads back: strict ones stay behind then.
    settings = workspace().settings
    response.set_cookie(
        guarded(COOKIE, settings),
        kept,
        max_age=WAITS_SECONDS,
        httponly=True,
        samesite="lax",
        secure=settings.is_https,
    )
    return response


async def back(request: Request) -> Response:
    """Let in whom the provider sends back."""
    if not _opens(request):
        return _only_opened()
    if openid_settings.load() is None:
        return RedirectResponse("/sign-in", 303)
    settings = workspace().settings
    cookie, answer = guarded(COOKIE, settings), dict(request.query_params)
    try:
        token, next_path = await run_in_threadpool(_enter, request.cookies.get(cookie, ""), answer)
        response = await admit(html(sign_in_page.entering(next_path)), token, request)
    except OpenIdError as exc:
        response = _failed(str(exc), 403)
    except StorageError as exc:
        response = _failed(unable(exc), 503)
    response.delete_cookie(cookie, httponly=True, samesite="lax", secure=settings.is_https)
    return response


async def leave(request: Request) -> Response:
    """Send the browser to where it signs out at the provider, too."""
    if openid_settings.load() is None:
        return RedirectResponse("/sign-in", 303)
    try:
        address = await run_in_threadpool(_address_to_leave, f"{_base(request)}/sign-in")
    except OpenIdError as exc:
        return _failed(str(exc), 502)
    return RedirectResponse(address or "/sign-in?state=stays", 303)


def _begin(next_path: str, redirect_uri: str) -> tuple[str, str]:
    from review.access import openid

    return openid.begin(workspace(), next_path, redirect_uri)


def _enter(kept: str, answer: dict[str, str]) -> tuple[str, str]:
    from review.access import openid

    entered = openid.enter(workspace(), kept, answer)
    return entered.token, entered.next_path


def _address_to_leave(back: str) -> str | None:
    from review.access import openid

    return openid.address_to_leave(back)


def _base(request: Request) -> str:
    return workspace().settings.public_url or f"{request.url.scheme}://{request.url.netloc}"


def _opens(request: Request) -> bool:
    """Return whether somebody opens the page, not a browser that looks ahead."""
    return request.method == "GET" and "prefetch" not in request.headers.get("sec-purpose", "")


def _only_opened() -> Response:
    return PlainTextResponse("Open the page to sign in.", 403)


def _failed(words: str, status: int, next_path: str = "/") -> Response:
    page = sign_in_page.form(notice=Notice("bad", words), next_path=next_path)
    return html(page, status=status)


ROUTES = [
    Route(BEGIN, begin, methods=["GET"]),
    Route(BACK, back, methods=["GET"]),
    Route(LEAVE, leave, methods=["GET"]),
]
