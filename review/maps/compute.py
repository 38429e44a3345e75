"""Prediction, maps and their measures: from an image in the unit range to arrays, nothing stored.

Needs PyTorch; the web process never imports it.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

import xai_core
from review.catalogue import OFFERED, PAIR, Given, Stepping
from review.maps.recipes import Recipe, check_target
from review.progress import StagedProgress
from xai_core import baselines
from xai_core.attribution import Attribution
from xai_core.glossary.entries import METHODS
from xai_core.measures.assess import assess
from xai_core.measures.thorough import assess_thoroughly
from xai_core.measures.trial import Trial, hold_trial
from xai_core.model.loading import LoadedModel
from xai_core.model.prediction import Prediction, predict
from xai_core.model.preprocessing import Geometry, normalise, to_input
from xai_core.running import Explain, explain_on_cpu_at_last
from xai_core.runtime.precision import products
from xai_core.runtime.run import IsCancelled, Run
from xai_core.superpixels import superpixels

PARTS_PER_MAP = 1000
PARTS_PER_CHECK = 150  # of a map, and of the trial that the maps share
CHECKING = "Checking the maps"
CHECKING_THOROUGHLY = "Explaining noisy images and shuffled models"


@dataclass(frozen=True)
class Explained:
    """What a model said of an image, and why.

    Attributes:
        prediction: The scores.
        geometry: Where the model's input lies on the image.
        maps: One for each method of the recipe, in the model's input frame.
        trusts: The measures of each map; see `xai_core.measures.assess`.
    """

    prediction: Prediction
    geometry: Geometry
    maps: tuple[Attribution, ...]
    trusts: tuple[dict[str, Any], ...]


@products("ieee")  # maps on record are exact, whatever a GPU would round unasked
def explain(
    model: LoadedModel,
    image: NDArray[np.float32],
    recipe: Recipe,
    *,
    progress: StagedProgress,
    pixel_aspect: float = 1.0,
    cancelled: IsCancelled | None = None,
    known: Mapping[str, Attribution] | None = None,
) -> Explained:
    """Predict an image, make its maps and measure how far they can be trusted.

    Args:
        model: The loaded model.
        image: (H, W) or (H, W, 3) float32 in [0, 1].
        recipe: What to explain, and how.
        progress: Told how far the work is.
        pixel_aspect: Height of the image's pixels over their width.
        cancelled: Asked between chunks of work.
        known: Maps by method that exist already, to compare the new ones with.

    Raises:
        XaiError: If the image or the model cannot be explained as they stand.
        RecipeError: If the target is no class of the model.
        Cancelled: If `cancelled` said so.
    """
    check_target(recipe.target, model.card.classes)
    unit, geometry = to_input(image, model.card.preprocessing, pixel_aspect=pixel_aspect)
    prediction = predict(model, unit)
    target = prediction.target if recipe.target is None else recipe.target
    work = _Work(model, unit, recipe, target, progress, cancelled)
    maps = tuple(work.maps())
    trusts = tuple(work.trusts(maps, known or {}))
    return Explained(prediction, geometry, maps, trusts)


@products("ieee")
def check(
    model: LoadedModel,
    image: NDArray[np.float32],
    recipe: Recipe,
    map_: Attribution,
    trust: Mapping[str, Any],
    *,
    progress: StagedProgress,
    pixel_aspect: float = 1.0,
    cancelled: IsCancelled | None = None,
) -> dict[str, Any]:
    """Check a map thoroughly: under noise, and with the model's weights shuffled.

    Args:
        model: The loaded model.
        image: (H, W) or (H, W, 3) float32 in [0, 1].
        recipe: How the map was made; its method is the map's, its target is given.
        map_: The map.
        trust: What was measured of it before.
        progress: Told how far the work is.
        pixel_aspect: Height of the image's pixels over their width.
        cancelled: Asked between chunks of work.

    Returns:
        All measures, and the badge that they give.

    Raises:
        XaiError: If the image or the model cannot be explained as they stand.
        Cancelled: If `cancelled` said so.
    """
    unit, _ = to_input(image, model.card.preprocessing, pixel_aspect=pixel_aspect)
    work = _Work(model, unit, recipe, map_.target, progress, cancelled)
    return work.checked(map_, trust)


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


@dataclass(frozen=True)
class _Work:
    """An image to explain, and how far the work is."""

    model: LoadedModel
    unit: Tensor
    recipe: Recipe
    target: int
    progress: StagedProgress
    cancelled: IsCancelled | None

    @property
    def _n_parts(self) -> int:
        n_maps = len(self.recipe.methods)
        return n_maps * PARTS_PER_MAP + (n_maps + 1) * PARTS_PER_CHECK

    def maps(self) -> Iterator[Attribution]:
        """Yield the map of each method."""
        for number, method in enumerate(self.recipe.methods):
            function = getattr(xai_core, method)
            yield explain_on_cpu_at_last(
                function,
                self.model.module,
                normalise(self.unit, self.model.card.preprocessing),
                target=self.target,
                **self._options(method),
                progress=self._making(method, number * PARTS_PER_MAP),
                cancelled=self.cancelled,
            )

    def trusts(
        self, maps: tuple[Attribution, ...], known: Mapping[str, Attribution]
    ) -> Iterator[dict[str, Any]]:
        """Yield the measures of each map, on a trial that they share."""
        done = len(maps) * PARTS_PER_MAP
        trial = self._trial(done)
        there = {**known, **{map_.method: map_ for map_ in maps}}
        for map_ in maps:
            done += PARTS_PER_CHECK
            found = assess(
                map_,
                _companion(map_.method, there),
                trial,
                Run(progress=self._checking(done), cancelled=self.cancelled),
            )
            yield found | {"of_method": _plain(map_.measures)}

    def checked(self, map_: Attribution, trust: Mapping[str, Any]) -> dict[str, Any]:
        """Return a map's measures with those that explain the image again and again."""
        options = self._options(map_.method)

        def again(module: nn.Module, image: Tensor) -> Attribution:
            function: Explain = getattr(xai_core, map_.method)
            return function(module, image, target=self.target, **options, cancelled=self.cancelled)

        def report(n_done: int, n_total: int) -> None:
            self.progress(n_done, n_total, f"{CHECKING_THOROUGHLY}, {n_done} of {n_total}")

        return assess_thoroughly(
            trust,
            map_,
            again,
            self.model.module,
            normalise(self.unit, self.model.card.preprocessing),
            run=Run(progress=report, cancelled=self.cancelled),
        )

    def _trial(self, done: int) -> Trial:
        return hold_trial(
            self.model.module,
            normalise(self.unit, self.model.card.preprocessing),
            self._baseline,
            target=self.target,
            n_steps=self.recipe.effort.curve_steps,
            run=Run(progress=self._checking(done), cancelled=self.cancelled),
        )

    @property
    def _baseline(self) -> Tensor:
        return self._baseline_of(self.recipe.baseline_name)

    def _baseline_of(self, name: str) -> Tensor:
        """Return a baseline by its name, (1, C, H, W), as the model takes it."""
        picture = baselines.BY_NAME[name](self.unit[0])[None]
        return normalise(picture, self.model.card.preprocessing)

    def _options(self, method: str) -> dict[str, Any]:
        offer, effort = OFFERED[method], self.recipe.effort
        options: dict[str, Any] = offer.options(self.recipe.preset)
        if Given.BASELINE in offer.given:
            options["baseline"] = self._baseline
        if Given.BASELINES in offer.given:
            options["baselines"] = [self._baseline_of(name) for name in baselines.BY_NAME]
        if Given.SEGMENTS in offer.given:
            n_segments = options.pop("n_segments")
            options["segments"] = superpixels(self.unit[0], n_segments=n_segments)
        if Given.WINDOW in offer.given:
            options["window"] = effort.window_px(*self.unit.shape[2:])
            options["stride"] = effort.stride_px(options["window"])
        if Given.STEPS in offer.given:
            options |= effort.steps(self.recipe.stepping)
        return options

    def _making(self, method: str, parts: int) -> Callable[[int, int], None]:
        """Return what reports one map's progress as part of the whole."""
        offer, recipe = OFFERED[method], self.recipe
        is_open = Given.STEPS in offer.given and recipe.stepping is Stepping.ADAPTIVE

        def report(n_done: int, n_total: int) -> None:
            if is_open:  # nobody knows how many points it will take: half are done at the usual
                n_total, of = n_done + recipe.effort.n_steps, ""
            else:
                of = f" of {n_total}"
            words = f"{METHODS[method].name}, {n_done}{of} {offer.counted}"
            self.progress(parts + PARTS_PER_MAP * n_done // n_total, self._n_parts, words)

        return report

    def _checking(self, parts: int) -> Callable[[int, int], None]:
        """Return what reports the progress of measuring as part of the whole."""

        def report(n_done: int, n_total: int) -> None:
            done = parts + PARTS_PER_CHECK * n_done // max(n_total, 1)
            self.progress(done, self._n_parts, CHECKING)

        return report


def _companion(method: str, there: Mapping[str, Attribution]) -> Attribution | None:
    """Return the map to compare a method's with: the pair's that works in another way."""
    family = METHODS[method].family
    others = sorted(
        (other for other in PAIR if other in there and other != method),
        key=lambda other: METHODS[other].family is family,
    )
    return there[others[0]] if others else None


def _plain(measures: Mapping[str, Any]) -> dict[str, Any]:
    """Return a method's own measures without lists, and what is no finite number as None."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in measures.items()
        if isinstance(value, bool | int | float | str | None)
    }
