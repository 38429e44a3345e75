"""Routes of pixels, maps, their agreement and exports. The gate has let their requests through."""

import json
import logging
from collections.abc import Callable
from importlib import import_module
from typing import TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from db.errors import ArtifactError, NotFoundError
from review.cases import pixels
from review.errors import AccessError
from review.workspace import Workspace
from ui.workspace import workspace
from xai_core.errors import MapError

# Nothing of a patient stays on the disk of a workstation; the viewer keeps what it needs in memory.
NOT_KEPT = {"Cache-Control": "no-store"}
DAMAGED_IMAGE = (
    "the stored image is damaged or missing; uploading the same file again replaces it, or an "
    "administrator restores it from a backup"
)
DAMAGED_MAP = "the stored map is damaged or missing"

_log = logging.getLogger(__name__)
Key = TypeVar("Key")  # names a content


async def image(request: Request) -> Response:
    """Serve a case's pixels."""
    return await _content(request, pixels.image_sha256, pixels.raw_image)


async def attribution_map(request: Request) -> Response:
    """Serve an explanation's map."""
    return await _content(request, pixels.drawn_map, pixels.raw_map, damaged=DAMAGED_MAP)


async def map_agreement(request: Request) -> Response:
    """Serve how far two maps agree, as JSON."""
    # Loads SciPy, which the first page does not need, nor any other request is to wait for.
    await run_in_threadpool(import_module, "review.maps.agreement")
    from review.maps import agreement

    def compared(ws: Workspace, maps: agreement.Pair) -> bytes:
        return json.dumps(agreement.agreement(ws, maps).to_json()).encode()

    kind = "application/json"
    return await _content(request, agreement.pair, compared, media_type=kind, damaged=DAMAGED_MAP)


async def thumbnail(request: Request) -> Response:
    """Serve a case's thumbnail."""

    def png(ws: Workspace, sha256: str) -> bytes:
        return ws.artifacts.read(sha256)

    return await _content(request, pixels.thumbnail_sha256, png, media_type="image/png")


async def text_picture(request: Request) -> Response:
    """Serve a case's picture to who looks at it for text, whether it is held back or not."""
    from review.burnt_in import desk  # loads PyArrow, which the first page does not need

    whole = request.query_params.get("range") == "all"
    try:
        png = await run_in_threadpool(
            desk.picture,
            workspace(),
            request.path_params["id"],
            by=request.state.account.id,
            whole_range=whole,
        )
    except AccessError as exc:
        return PlainTextResponse(str(exc), 403)
    except (NotFoundError, OverflowError):
        return PlainTextResponse("There is no such content.", 404)
    return Response(png, media_type="image/png", headers=NOT_KEPT)


async def export(request: Request) -> Response:
    """Serve a finished export to those who may export."""
    from review.exporting import requests  # loads PyArrow, which the first page does not need

    by = request.state.account.id
    try:
        path = await run_in_threadpool(
            requests.download, workspace(), request.path_params["id"], by=by
        )
    except AccessError as exc:
        return PlainTextResponse(str(exc), 403)
    except NotFoundError:
        return PlainTextResponse("There is no such export.", 404)
    return FileResponse(path, filename=path.name, headers=NOT_KEPT)


async def _content(
    request: Request,
    find: Callable[..., Key],
    read: Callable[[Workspace, Key], bytes],
    *,
    media_type: str = "application/octet-stream",
    damaged: str = DAMAGED_IMAGE,
) -> Response:
    ws = workspace()
    try:
        by = request.state.account.id
        key = await run_in_threadpool(find, ws, *request.path_params.values(), by=by)
    except AccessError as exc:
        return PlainTextResponse(str(exc), 403)
    except (NotFoundError, OverflowError):
        return PlainTextResponse("There is no such content.", 404)
    try:
        data = await run_in_threadpool(read, ws, key)
    except ArtifactError as exc:
        _log.error("%s: %s", request.url.path, exc)
        return PlainTextResponse(damaged, 410)
    except MapError as exc:
        return PlainTextResponse(f"Nothing to compare: {exc}.", 422)
    # Packing floats costs more than sending them.
    headers = NOT_KEPT | {"Content-Encoding": "identity"}
    return Response(data, media_type=media_type, headers=headers)


ROUTES = [
    Route("/api/pixels/{id:int}", image, methods=["GET"]),
    Route("/api/map/{id:int}", attribution_map, methods=["GET"]),
    Route("/api/agreement/{left:int}/{right:int}", map_agreement, methods=["GET"]),
    Route("/api/thumbnail/{id:int}", thumbnail, methods=["GET"]),
    Route("/api/text/{id:int}", text_picture, methods=["GET"]),
    Route("/api/export/{id:int}", export, methods=["GET"]),
]
