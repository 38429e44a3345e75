"""Cases with pixels and maps, as a worker leaves them, for tests of the review page."""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sqlalchemy.orm import Session

from db.artifacts import ArtifactStore
from db.tables import Case, Model, Prediction
from review.maps.recipes import Recipe
from tests import builders

SIDE_PX = 64
MAP_SIDE_PX = 32


def ramp(bits: int = 8) -> NDArray[Any]:
    """Return a picture whose value grows from left to right over the whole range."""
    across = np.linspace(0, 2**bits - 1, SIDE_PX)
    return np.tile(across, (SIDE_PX, 1)).astype(np.uint8 if bits == 8 else np.uint16)


def spot(x: int, y: int, value: float = 1.0) -> NDArray[np.float32]:
    """Return a map, (1, 32, 32), with a bright square at (x, y) on a quiet, uneven ground."""
    heat = np.linspace(-0.05, 0.05, MAP_SIDE_PX**2, dtype=np.float32)
    heat = heat.reshape(1, MAP_SIDE_PX, MAP_SIDE_PX).copy()
    heat[0, y - 4 : y + 4, x - 4 : x + 4] = value
    return heat


def npy(heat: NDArray[np.float32]) -> bytes:
    """Return a map as the bytes of a NumPy file."""
    buffer = io.BytesIO()
    np.save(buffer, heat)
    return buffer.getvalue()


def case(
    session: Session, store: ArtifactStore, pixels: NDArray[Any] | None = None, **fields: Any
) -> Case:
    """Store a picture as a case."""
    pixels = ramp() if pixels is None else pixels
    bits = 8 * pixels.itemsize
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    defaults = {
        "width_px": pixels.shape[1],
        "height_px": pixels.shape[0],
        "n_channels": 1 if pixels.ndim == 2 else 3,
        "bits": bits,
        "window_high": float(2**bits - 1),
        "image_sha256": store.put(session, buffer.getvalue(), media_type="image/png"),
    }
    return builders.case(session, **(defaults | fields))


def explain(
    session: Session,
    store: ArtifactStore,
    prediction: Prediction,
    *,
    gradients: NDArray[np.float32] | None = None,
    occlusion: NDArray[np.float32] | None = None,
    by: Recipe | None = None,
    **fields: Any,
) -> None:
    """Store both maps of a prediction."""
    for method, heat in (
        ("integrated_gradients", spot(10, 10) if gradients is None else gradients),
        ("occlusion", spot(20, 20, -2.0) if occlusion is None else occlusion),
    ):
        builders.explanation(
            session,
            prediction,
            method=method,
            recipe=by.for_map(method) if by else None,
            artifact_sha256=store.put(session, npy(heat), media_type="application/x-npy"),
            **fields,
        )


def explained_case(
    session: Session,
    store: ArtifactStore,
    model: Model,
    pixels: NDArray[Any] | None = None,
    **fields: Any,
) -> Case:
    """Store a case that a model has predicted and explained."""
    stored = case(session, store, pixels, **fields)
    explain(session, store, builders.prediction(session, stored, model))
    return stored
