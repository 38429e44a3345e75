"""The session cookie: how it is read and how it is set."""

from http.cookies import CookieError, SimpleCookie

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import Scope

from review.access.sessions import SESSION

SESSION_COOKIE = "second_look_session"
WAITING_COOKIE = "second_look_waiting"  # of `ui/browser/viewer/waiting.js`


def session_token(scope: Scope) -> str | None:
    """Return the session token that a request carries, if any."""
    for name, value in scope["headers"]:
        if name == b"cookie":
            try:
                cookie = SimpleCookie(value.decode("latin-1")).get(SESSION_COOKIE)
            except CookieError:
                return None
            if cookie:
                return cookie.value
    return None


def give_session(response: Response, token: str, *, connection: HTTPConnection) -> Response:
    """Set the session cookie: unreadable to scripts, never sent from another site."""
    response.set_cookie(
        SESSION_COOKIE,
        token,
        max_age=int(SESSION.total_seconds()),
        httponly=True,
        samesite="strict",
        secure=connection.url.scheme == "https",
    )
    return response


def take_session(response: Response, request: Request) -> Response:
    """Remove the session cookie and what the browser kept of the pages.

    Its storage stays while it holds a verdict that could not be sent yet.
    """
    response.delete_cookie(SESSION_COOKIE, httponly=True, samesite="strict")
    waits = WAITING_COOKIE in request.cookies
    response.headers["Clear-Site-Data"] = '"cache"' if waits else '"cache", "storage"'
    return response
