"""Routes that say whether the site, and whether one's session, is alive."""

from dataclasses import asdict
from functools import lru_cache

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from review.access import sessions
from review.processes import serving
from review.processes.health import Health
from ui.http import proxy
from ui.http.cookies import session_token
from ui.workspace import workspace


@lru_cache(maxsize=1)
def looked_after() -> Health:
    """Return the health of the site that this process serves; first called at its start."""
    return Health(workspace(), serving.n_workers())


async def health(_request: Request) -> Response:
    """Answer 200 if the record is there and can be written, else 503; the log says why."""
    well = await run_in_threadpool(looked_after().trouble) is None
    return JSONResponse({"status": "ok" if well else "failed"}, 200 if well else 503)


async def readiness(_request: Request) -> Response:
    """Answer 200 if the site can do its work, else 503; either way with what it stands at."""
    found = await run_in_threadpool(looked_after().readiness)
    found |= {"proxy": proxy.standing(workspace().settings)}
    return JSONResponse(found, 200 if found["status"] == "ready" else 503)


async def session(request: Request) -> Response:
    """Say whether the browser is signed in, and for how long; asking is no activity.

    A POST says that somebody is there: a page sends it when a key or the pointer was used.
    """
    ws = workspace()
    token = session_token(request.scope, ws.settings)
    if token and request.method == "POST":
        await run_in_threadpool(sessions.touch, ws, token)
    left = await run_in_threadpool(sessions.time_left, ws, token)
    found = {"signed_in": left is not None} | (asdict(left) if left else {})
    return JSONResponse(found, headers={"Cache-Control": "no-store"})


ROUTES = [
    Route("/healthz", health, methods=["GET"]),
    Route("/readyz", readiness, methods=["GET"]),
    Route("/api/session", session, methods=["GET", "POST"]),
]
