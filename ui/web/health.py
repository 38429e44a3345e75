"""Routes that say whether the site, and whether one's session, is alive."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from review import serving
from ui.workspace import workspace


async def health(_request: Request) -> Response:
    """Answer 200 if the database answers, else 503."""
    alive = await run_in_threadpool(serving.alive, workspace())
    return JSONResponse({"status": "ok" if alive else "failed"}, 200 if alive else 503)


async def session(_request: Request) -> Response:
    """Answer 204; without a session the gate has answered 401 already."""
    return Response(status_code=204)


ROUTES = [
    Route("/healthz", health, methods=["GET"]),
    Route("/api/session", session, methods=["GET"]),
]
