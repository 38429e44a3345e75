"""Raw pixels and maps for the browser to draw, and the thumbnails of the worklist."""

from sqlalchemy import select
from sqlalchemy.orm import InstrumentedAttribute

from db.errors import NotFoundError
from db.tables import Case, Explanation, Prediction
from db.types import AccessKind
from imaging.encode import from_png
from review.maps.drawn import DrawnMap
from review.policy import Action, Actor, insist
from review.workspace import Workspace


def image_sha256(ws: Workspace, case_id: int, *, by: Actor) -> str:
    """Return the hash of a case's image.

    Raises:
        NotFoundError: If there is no such case.
    """
    sha256 = _sha256(ws, Case.image_sha256, Case.id, case_id, by=by)
    ws.trail.note(AccessKind.PIXELS_FETCHED, by, case_id=case_id)
    return sha256


def thumbnail_sha256(ws: Workspace, case_id: int, *, by: Actor) -> str:
    """Return the hash of a case's thumbnail.

    Raises:
        NotFoundError: If there is no such case, or it has none.
    """
    return _sha256(ws, Case.thumbnail_sha256, Case.id, case_id, by=by)


def drawn_map(ws: Workspace, explanation_id: int, *, by: Actor) -> DrawnMap:
    """Return what an explanation's map is drawn from.

    Raises:
        NotFoundError: If there is no such explanation.
    """
    with ws.read() as session:
        insist(session, by, Action.READ)
        row = session.get(Explanation, explanation_id)
        if row is None:
            raise NotFoundError(f"explanation {explanation_id} does not exist")
        case_id = session.get_one(Prediction, row.prediction_id).case_id
    shown = {"explanation": explanation_id, "method": row.method}
    ws.trail.note(AccessKind.MAP_FETCHED, by, case_id=case_id, **shown)
    return DrawnMap.of(row)


def raw_image(ws: Workspace, sha256: str) -> bytes:
    """Return an image's pixels: (H, W) or (H, W, 3), uint8 or little-endian uint16."""
    pixels = from_png(ws.artifacts.read(sha256))
    return pixels.astype(pixels.dtype.newbyteorder("<"), copy=False).tobytes()


def raw_map(ws: Workspace, drawn: DrawnMap) -> bytes:
    """Return a map over pixels: (H, W) little-endian float32."""
    return drawn.heat(ws.artifacts).astype("<f4", copy=False).tobytes()


def _sha256(
    ws: Workspace,
    column: InstrumentedAttribute[str] | InstrumentedAttribute[str | None],
    key: InstrumentedAttribute[int],
    row_id: int,
    *,
    by: Actor,
) -> str:
    with ws.read() as session:
        insist(session, by, Action.READ)
        sha256 = session.scalar(select(column).where(key == row_id))
    if sha256 is None:
        raise NotFoundError(f"{column.class_.__name__.lower()} {row_id} has no {column.key}")
    return sha256
