"""Explaining one file without the web: prediction, float maps and overlays into a folder.

Needs PyTorch; the web process never imports it.
"""

import json
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from db.tables import Case
from imaging.decode import decode
from imaging.encode import to_png, to_unit
from imaging.image import DecodedImage, Window
from review.errors import ReviewError
from review.maps.compute import explain, facts
from review.maps.recipes import Recipe
from review.models import registry
from review.models.plugins import register_architectures
from review.policy import Action, Actor, insist
from review.progress import StagedProgress
from review.software import versions
from review.state.shown import given_to_model
from review.workspace import Workspace
from xai_core.attribution import DISCLAIMER, Attribution
from xai_core.errors import MapError
from xai_core.model.card import ModelCard, card_to_json
from xai_core.model.loading import load_model
from xai_core.model.preprocessing import Geometry, true_size
from xai_core.rendering import overlay_png
from xai_core.runtime.device import pick_device

N_TOP = 5


class ExplainFileError(ReviewError):
    """An image cannot be read, a result cannot be written, or a class does not exist."""


@dataclass(frozen=True)
class Order:
    """What to explain, and how.

    Attributes:
        model: Name of a model version, as `review.models.registry.find` takes it.
        recipe: How; its target is left to `target`.
        target: A class by name or index; None is the predicted class.
        device: PyTorch name; None is a GPU where there is one.
        frame: Which frame or slice of a file with many, from 0.
        grey_range: (black, white), for a file that states none; see `imaging.decode.decode`.
    """

    model: str
    recipe: Recipe = field(default_factory=Recipe)
    target: str | None = None
    device: str | None = None
    frame: int | None = None
    grey_range: Window | None = None


def explain_file(
    ws: Workspace, image_path: Path, out: Path, order: Order, *, by: Actor, progress: StagedProgress
) -> dict[str, Any]:
    """Explain an image file and write the results into a folder.

    It holds `prediction.json` and, for each method by its key, `.npy` (C, H, W float32 in the
    model's input frame) and `.png` (the map over the image; left out where the map has nothing to
    show).

    Args:
        ws: The installation that has the model.
        image_path: An image of any accepted format.
        out: The folder, created if needed.
        order: What to explain, and how.
        by: Who asks.
        progress: Told how far the work is.

    Returns:
        The content of `prediction.json`.

    Raises:
        ExplainFileError: If the image cannot be read, the class does not exist, or the folder
            cannot be written.
        ImagingError: If the image is refused.
        NotFoundError: If there is no such model.
        XaiError: If the model cannot explain the image.
    """
    with ws.read() as session:
        insist(session, by, Action.EXPLAIN)
    model = registry.find(ws, order.model, by=by)
    target = _index(order.target, model.card)
    recipe = replace(order.recipe, target=target).for_card(vars(model.card))
    data = _read(image_path)
    image = decode(
        data, identity_key=ws.settings.identity_key, frame=order.frame, grey_range=order.grey_range
    )
    unit = _given(image, model.card)
    register_architectures()
    weights = ws.artifacts.path(model.card.weights_sha256)
    loaded = load_model(model.card, weights, device=pick_device(order.device))
    explained = explain(loaded, unit, recipe, progress=progress, pixel_aspect=image.pixel_aspect)
    maps = {
        map_.method: facts(map_, recipe, trust)
        for map_, trust in zip(explained.maps, explained.trusts, strict=True)
    }
    first = next(iter(maps.values()))
    result = {
        **explained.prediction.to_json(k=N_TOP),
        "explained": model.card.classes[first["target"]],
        "convergence_delta": first["convergence_delta"],
        "relative_delta": first["relative_delta"],
        "model": model.card.name,
        "version": model.card.version,
        "weights_sha256": model.card.weights_sha256,
        "notes": [note.words for note in image.notes],
        "image_sha256": sha256(data).hexdigest(),
        "pixels_sha256": sha256(to_png(image.pixels)).hexdigest(),
        "geometry": explained.geometry.to_json(),
        "maps": maps,
        "software": versions(),
        "note": DISCLAIMER,
    }
    try:
        out.mkdir(parents=True, exist_ok=True)
        text = json.dumps(result, indent=1, ensure_ascii=False, allow_nan=False)
        (out / "prediction.json").write_text(text + "\n", encoding="utf-8")
        for map_ in explained.maps:
            _write(out / map_.method, map_, unit, explained.geometry, image.pixel_aspect)
    except OSError as exc:
        raise ExplainFileError(f"cannot write into {out}: {exc.strerror}") from exc
    return result


def _given(image: DecodedImage, card: ModelCard) -> NDArray[np.float32]:
    """Return the image as the model is given it."""
    case = Case(
        window_low=image.window[0],
        window_high=image.window[1],
        rescale_slope=image.rescale[0],
        rescale_intercept=image.rescale[1],
        n_channels=1 if image.pixels.ndim == 2 else 3,
        bits=image.bits,
        acquisition=image.kept,
    )
    return to_unit(image.pixels, *given_to_model(case, card_to_json(card)))


def _write(
    stem: Path,
    map_: Attribution,
    unit: NDArray[np.float32],
    geometry: Geometry,
    pixel_aspect: float,
) -> None:
    np.save(stem.with_suffix(".npy"), map_.values.numpy(), allow_pickle=False)
    picture = stem.with_suffix(".png")
    height, width = true_size(unit.shape[0], unit.shape[1], pixel_aspect)
    x, y = width / unit.shape[1], height / unit.shape[0]
    right, bottom = geometry.x + geometry.width, geometry.y + geometry.height
    box = geometry.x * x, geometry.y * y, right * x, bottom * y
    try:
        image = Image.fromarray(np.rint(unit * 255).astype(np.uint8)).resize((width, height))
        picture.write_bytes(overlay_png(np.asarray(image), map_.heat.numpy(), box=box))
    except MapError:
        picture.unlink(missing_ok=True)  # an older picture would pass for this one


def _index(target: str | None, card: ModelCard) -> int | None:
    """Return the index of a class that is given by name or by index."""
    if target is None or target in card.classes:
        return None if target is None else card.classes.index(target)
    if target.isdecimal() and int(target) < len(card.classes):
        return int(target)
    close = get_close_matches(target, card.classes, n=3)
    hint = f"; did you mean {' or '.join(map(repr, close))}?" if close else ""
    raise ExplainFileError(
        f"{target!r} is no class of {card.name}; allowed: a name or 0 to {len(card.classes) - 1}"
        + hint
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise ExplainFileError(f"cannot read {path}: {exc.strerror}") from exc
