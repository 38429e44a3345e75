"""How maps are made: presets, baselines, and the keys under which work and results are known.

Occlusion covers pixels with the same baseline picture that Integrated Gradients starts from, so
both maps answer one question: what spoke for the class, compared with that picture?
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from db.tables import Case, Model
from review.errors import ReviewError
from xai_core.card import BASELINES

WINDOWS_PER_SIDE = 14
DEFAULT_BASELINE = "black"


class RecipeError(ReviewError):
    """A preset, baseline or target that does not exist was asked for."""


@dataclass(frozen=True)
class Preset:
    """How much work goes into a pair of maps.

    Attributes:
        n_steps: Points on the path of Integrated Gradients.
        strides_per_window: How many strides of Occlusion make one window.
    """

    n_steps: int
    strides_per_window: int

    def window_px(self, height: int, width: int) -> int:
        """Return the side of Occlusion's window for a model's input: 16 pixels at 224."""
        return max(1, round(min(height, width) / WINDOWS_PER_SIDE))

    def stride_px(self, window_px: int) -> int:
        """Return Occlusion's stride for a window: 8 pixels at 16 in the standard preset."""
        return max(1, window_px // self.strides_per_window)


PRESETS = {
    "quick": Preset(n_steps=20, strides_per_window=1),
    "standard": Preset(n_steps=50, strides_per_window=2),
    "publication": Preset(n_steps=200, strides_per_window=4),
}


@dataclass(frozen=True)
class Recipe:
    """What to explain, and how.

    Attributes:
        preset: Key of `PRESETS`.
        baseline: One of `BASELINES`, made before normalisation, so black is black; None is what
            the model's card says.
        target: Class index; None is the predicted class.
    """

    preset: str = "standard"
    baseline: str | None = None
    target: int | None = None

    def __post_init__(self) -> None:
        """Refuse what does not exist.

        Raises:
            RecipeError: If the preset or baseline is unknown.
        """
        if self.preset not in PRESETS:
            raise RecipeError(f"preset is {self.preset!r}; allowed: {', '.join(PRESETS)}")
        if self.baseline is not None and self.baseline not in BASELINES:
            raise RecipeError(f"baseline is {self.baseline!r}; allowed: {', '.join(BASELINES)}")

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
        """Return a JSON-safe mapping that `from_json` reads back."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Recipe":
        """Read what `to_json` wrote, among other keys."""
        return cls(data["preset"], data["baseline"], data["target"])


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


def digest(content: Mapping[str, Any]) -> str:
    """Return the SHA-256 of JSON-safe content."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def job_key(case: Case, model: Model, recipe: Recipe) -> str:
    """Return the key of the job that makes a recipe's maps of a case with a model version."""
    return digest({"kind": "explain", **subject(case, model), **recipe.to_json()})


def map_key(case: Case, model: Model, method: str, *, recipe: Recipe, target: int) -> str:
    """Return the key of one map: equal keys are the same computation."""
    effort = recipe.effort
    params: dict[str, Any] = {
        "integrated_gradients": {"n_steps": effort.n_steps},
        "occlusion": {
            "windows_per_side": WINDOWS_PER_SIDE,
            "strides_per_window": effort.strides_per_window,
        },
    }[method]
    made = {"method": method, "baseline": recipe.baseline_name, "target": target}
    return digest(subject(case, model) | made | params)
