"""Cookies: what they are called, how the session's is read and how it is set."""

from http.cookies import CookieError, SimpleCookie

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from review.access.sessions import SESSION
from review.settings import Settings

SESSION_COOKIE = "second_look_session"
WAITING_COOKIE = "second_look_waiting"  # of `ui/browser/viewer/waiting.js`


def session_cookie(settings: Settings) -> str:
    """Return the session cookie's name."""
    return guarded(SESSION_COOKIE, settings)


def guarded(name: str, settings: Settings) -> str:
    """Return a cookie's name; under https one that no other host, nor http, can set."""
    return f"__Host-{name}" if settings.is_https else name


def session_token(scope: Scope, settings: Settings) -> str | None:
    """Return the session token that a request carries, if any."""
    for name, value in scope["headers"]:
        if name == b"cookie":
            try:
                cookie = SimpleCookie(value.decode("latin-1")).get(session_cookie(settings))
            except CookieError:
                return None
            if cookie:
                return cookie.value
    return None


def give_session(response: Response, token: str, settings: Settings) -> Response:
    """Set the session cookie: unreadable to scripts, never sent from another site.

    On shared workstations it has no age, and so goes when the browser is closed.
    """
    response.set_cookie(
        session_cookie(settings),
        token,
        max_age=None if settings.shared_workstations else int(SESSION.total_seconds()),
        httponly=True,
        samesite="strict",
        secure=settings.is_https,
    )
    return response


def take_session(response: Response, request: Request, settings: Settings) -> Response:
    """Remove the session cookie and what the browser kept of the pages.

    Its storage stays while it holds a verdict that could not be sent yet.
    """
    response.delete_cookie(
        session_cookie(settings), httponly=True, samesite="strict", secure=settings.is_https
    )
    waits = WAITING_COOKIE in request.cookies
    response.headers["Clear-Site-Data"] = '"cache"' if waits else '"cache", "storage"'
    return response
