"""Routes that say whether the site, and whether one's session, is alive."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from review.access import sessions
from review.processes import serving
from ui.http.cookies import session_token
from ui.workspace import workspace


async def health(_request: Request) -> Response:
    """Answer 200 if the database answers, else 503."""
    alive = await run_in_threadpool(serving.alive, workspace())
    return JSONResponse({"status": "ok" if alive else "failed"}, 200 if alive else 503)


async def session(request: Request) -> Response:
    """Say whether the browser is signed in; asking is no activity."""
    token = session_token(request.scope)
    account = await run_in_threadpool(sessions.account_of, workspace(), token)
    return JSONResponse({"signed_in": account is not None}, headers={"Cache-Control": "no-store"})


ROUTES = [
    Route("/healthz", health, methods=["GET"]),
    Route("/api/session", session, methods=["GET"]),
]
