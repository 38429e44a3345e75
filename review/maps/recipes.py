"""How maps are made: presets, baselines, and the keys under which work and results are known.

Occlusion covers pixels with the same baseline picture that Integrated Gradients starts from, so
both maps answer one question: what spoke for the class, compared with that picture?
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from db.tables import Case, Model
from review.catalogue import OFFERED, PAIR, PRESETS, WINDOWS_PER_SIDE, Given, Preset, Stepping
from review.digests import digest
from review.errors import ReviewError
from xai_core.model.card import BASELINES

DEFAULT_BASELINE = "black"


class RecipeError(ReviewError):
    """A preset, baseline, method or target that does not exist was asked for."""


@dataclass(frozen=True)
class Recipe:
    """What to explain, and how.

    Attributes:
        preset: Key of `PRESETS`.
        baseline: One of `BASELINES`, made before normalisation, so black is black; None is what
            the model's card says.
        target: Class index; None is the predicted class.
        stepping: Whether Integrated Gradients takes the preset's number of points, or as many as
            the preset's tolerance needs.
        methods: Keys of `OFFERED`.
    """

    preset: str = "standard"
    baseline: str | None = None
    target: int | None = None
    stepping: Stepping = Stepping.FIXED
    methods: tuple[str, ...] = PAIR

    def __post_init__(self) -> None:
        """Refuse what does not exist.

        Raises:
            RecipeError: If the preset, baseline or a method is unknown, or there is no method.
        """
        if self.preset not in PRESETS:
            raise RecipeError(f"preset is {self.preset!r}; allowed: {', '.join(PRESETS)}")
        if self.baseline is not None and self.baseline not in BASELINES:
            raise RecipeError(f"baseline is {self.baseline!r}; allowed: {', '.join(BASELINES)}")
        if not self.methods:
            raise RecipeError(f"there is no method; allowed: {', '.join(OFFERED)}")
        for method in self.methods:
            if method not in OFFERED:
                raise RecipeError(f"method is {method!r}; allowed: {', '.join(OFFERED)}")

    def for_card(self, card: Mapping[str, Any]) -> "Recipe":
        """Return this recipe with the baseline that a model's card prefers, if it has none."""
        return self if self.baseline else replace(self, baseline=card.get("baseline"))

    @property
    def baseline_name(self) -> str:
        """The baseline's name; black where neither reader nor card chose one."""
        return self.baseline or DEFAULT_BASELINE

    @property
    def effort(self) -> Preset:
        """The preset's numbers."""
        return PRESETS[self.preset]

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-safe mapping that `from_json` reads back.

        What was the only way before it became a choice is left out, so that recorded keys stay.
        """
        basic = {"preset": self.preset, "baseline": self.baseline, "target": self.target}
        stepping = {} if self.stepping is Stepping.FIXED else {"stepping": self.stepping.value}
        methods = {} if self.methods == PAIR else {"methods": list(self.methods)}
        return basic | stepping | methods

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Recipe":
        """Read what `to_json` wrote, among other keys."""
        return cls(
            data["preset"],
            data["baseline"],
            data["target"],
            Stepping(data.get("stepping", Stepping.FIXED)),
            tuple(data.get("methods", PAIR)),
        )

    @classmethod
    def of_map(cls, method: str, made_by: Mapping[str, Any] | None, *, target: int) -> "Recipe":
        """Return the recipe that is stored with a map.

        Raises:
            RecipeError: If none is, or it names what this version does not know.
        """
        if made_by is None:
            raise RecipeError("the record does not say with which preset this map was made")
        stepping = Stepping(made_by.get("stepping", Stepping.FIXED))
        return cls(made_by["preset"], made_by["baseline"], target, stepping, (method,))

    def for_map(self, method: str) -> dict[str, str]:
        """Return what is stored with a method's map; `of_map` reads it back."""
        return _for_map(method, self.preset, self.baseline_name, self.stepping)

    def has_made(self, method: str, made_by: Mapping[str, Any] | None) -> bool:
        """Return whether the recipe that is stored with a method's map is this one."""
        return made_by == self.for_map(method)

    def has_ordered(self, method: str, payload: Mapping[str, Any]) -> bool:
        """Return whether a job's payload asked for this recipe's map of a method."""
        ordered = _for_map(
            method,
            payload["preset"],
            payload["baseline"] or DEFAULT_BASELINE,
            payload.get("stepping", Stepping.FIXED),
        )
        return self.has_made(method, ordered)


def _for_map(method: str, preset: str, baseline: str, stepping: str) -> dict[str, str]:
    named = {"preset": preset, "baseline": baseline}
    return named | {"stepping": str(stepping)} if Given.STEPS in OFFERED[method].given else named


def check_target(target: int | None, classes: list[str] | tuple[str, ...]) -> None:
    """Refuse a target that is no class of a model.

    Raises:
        RecipeError: If it is not an index of `classes`.
    """
    if target is not None and not 0 <= target < len(classes):
        raise RecipeError(f"target is {target}; allowed: 0 to {len(classes) - 1}")


def subject(case: Case, model: Model) -> dict[str, Any]:
    """Return what maps depend on besides the recipe: a case as seen by a model version.

    The case's id is part of it: cases with the same pixels have maps of their own.
    """
    return {
        "case_id": case.id,
        "image_sha256": case.image_sha256,
        "window": [case.window_low, case.window_high],
        "model_id": model.id,
        "weights_sha256": model.weights_sha256,
        "preprocessing": model.card.get("preprocessing"),
    }


def job_key(case: Case, model: Model, recipe: Recipe) -> str:
    """Return the key of the job that makes a recipe's maps of a case with a model version."""
    return digest({"kind": "explain", **subject(case, model), **recipe.to_json()})


def map_key(case: Case, model: Model, method: str, *, recipe: Recipe, target: int) -> str:
    """Return the key of one map: equal keys are the same computation."""
    offer, effort = OFFERED[method], recipe.effort
    params: dict[str, Any] = offer.options(recipe.preset)
    if Given.STEPS in offer.given:
        params |= effort.steps(recipe.stepping)
    if Given.WINDOW in offer.given:
        params["windows_per_side"] = WINDOWS_PER_SIDE
        params["strides_per_window"] = effort.strides_per_window
    made = {"method": method, "baseline": recipe.baseline_name, "target": target}
    return digest(subject(case, model) | made | params)
