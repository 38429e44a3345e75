"""Raw pixels and maps for the browser to draw, and the thumbnails of the worklist."""

from db.errors import NotFoundError
from db.tables import Case, Prediction
from db.types import AccessKind
from imaging.encode import from_png
from review.maps.drawn import DrawnMap, shown_explanation
from review.policy import Action, Actor, insist
from review.state.held import insist_passed
from review.workspace import Workspace


def image_sha256(ws: Workspace, case_id: int, *, by: Actor) -> str:
    """Return the hash of a case's image.

    Raises:
        NotFoundError: If there is no such case.
        HeldError: If it is held back.
    """
    sha256 = _case(ws, case_id, by=by).image_sha256
    ws.trail.note(AccessKind.PIXELS_FETCHED, by, case_id=case_id)
    return sha256


def thumbnail_sha256(ws: Workspace, case_id: int, *, by: Actor) -> str:
    """Return the hash of a case's thumbnail.

    Raises:
        NotFoundError: If there is no such case, or it has none.
        HeldError: If it is held back.
    """
    sha256 = _case(ws, case_id, by=by).thumbnail_sha256
    if sha256 is None:
        raise NotFoundError(f"case {case_id} has no thumbnail")
    return sha256


def drawn_map(ws: Workspace, explanation_id: int, *, by: Actor) -> DrawnMap:
    """Return what an explanation's map is drawn from.

    Raises:
        NotFoundError: If there is no such explanation.
        HeldError: If its case is held back.
    """
    with ws.read() as session:
        insist(session, by, Action.READ)
        row = shown_explanation(session, explanation_id)
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


def _case(ws: Workspace, case_id: int, *, by: Actor) -> Case:
    with ws.read() as session:
        insist(session, by, Action.READ)
        return insist_passed(session.get(Case, case_id), case_id=case_id)
