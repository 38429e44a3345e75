"""Prediction and the pair of maps: from an image in the unit range to arrays, nothing stored.

Needs PyTorch; the web process never imports it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from review.recipes import Recipe, check_target
from xai_core import baselines, integrated_gradients, occlusion
from xai_core.attribution import Attribution
from xai_core.chunks import IsCancelled
from xai_core.models import LoadedModel
from xai_core.prediction import Prediction, predict
from xai_core.preprocessing import Geometry, normalise, to_input

Progress = Callable[[int, int, str], None]
"""Called with work done, work in all, and what is being done in plain words."""

PARTS_PER_MAP = 1000  # the two maps take about as long as each other


@dataclass(frozen=True)
class Explained:
    """What a model said of an image, and why.

    Attributes:
        prediction: The scores.
        geometry: Where the model's input lies on the image.
        maps: Integrated Gradients and Occlusion, in the model's input frame.
    """

    prediction: Prediction
    geometry: Geometry
    maps: tuple[Attribution, Attribution]


def explain(
    model: LoadedModel,
    image: NDArray[np.float32],
    recipe: Recipe,
    *,
    progress: Progress,
    cancelled: IsCancelled | None = None,
) -> Explained:
    """Predict an image and make its two maps.

    Args:
        model: The loaded model.
        image: (H, W) or (H, W, 3) float32 in [0, 1].
        recipe: What to explain, and how.
        progress: Told how far the work is.
        cancelled: Asked between chunks of work.

    Raises:
        XaiError: If the image or the model cannot be explained as they stand.
        RecipeError: If the target is no class of the model.
        Cancelled: If `cancelled` said so.
    """
    check_target(recipe.target, model.card.classes)
    unit, geometry = to_input(image, model.card.preprocessing)
    prediction = predict(model, unit)
    target = prediction.target if recipe.target is None else recipe.target
    maps = _maps(model, unit, recipe, target=target, progress=progress, cancelled=cancelled)
    return Explained(prediction, geometry, maps)


def facts(map_: Attribution, recipe: Recipe, trust: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is recorded of a map besides its values, JSON-safe, the baseline by its name."""
    counts = not trust["nan"]
    notes = {"notes": list(map_.notes)} if map_.notes else {}
    named = {"baseline": recipe.baseline_name, "preset": recipe.preset}
    return {
        "method": map_.method,
        "target": map_.target,
        "params": map_.params | named | notes,
        "convergence_delta": map_.convergence_delta if counts else None,
        "relative_delta": map_.relative_delta if counts else None,
        "trust": dict(trust),
        "seconds": map_.seconds,
        "device": map_.device,
    }


def _maps(
    model: LoadedModel,
    unit: Tensor,
    recipe: Recipe,
    *,
    target: int,
    progress: Progress,
    cancelled: IsCancelled | None,
) -> tuple[Attribution, Attribution]:
    preprocessing, effort = model.card.preprocessing, recipe.effort
    image = normalise(unit, preprocessing)
    baseline = normalise(baselines.BY_NAME[recipe.baseline_name](unit[0])[None], preprocessing)
    window_px = effort.window_px(*unit.shape[2:])
    gradients = integrated_gradients(
        model.module,
        image,
        target=target,
        baseline=baseline,
        n_steps=effort.n_steps,
        progress=_stage(progress, 0, "Integrated Gradients, {} of {} steps"),
        cancelled=cancelled,
    )
    occluded = occlusion(
        model.module,
        image,
        target=target,
        window=window_px,
        stride=effort.stride_px(window_px),
        baseline=baseline,
        progress=_stage(progress, 1, "Occlusion, {} of {} windows"),
        cancelled=cancelled,
    )
    return gradients, occluded


def _stage(progress: Progress, n_before: int, words: str) -> Callable[[int, int], None]:
    """Return what reports one map's progress as part of both maps'."""

    def report(n_done: int, n_total: int) -> None:
        parts = n_before * PARTS_PER_MAP + PARTS_PER_MAP * n_done // n_total
        progress(parts, 2 * PARTS_PER_MAP, words.format(n_done, n_total))

    return report
