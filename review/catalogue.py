"""Which methods the application offers, and with what effort each preset runs them.

To offer one more method is one more line in `OFFERED`; its words are in `xai_core.glossary`, its
function is found by its key. Free of PyTorch, so that the web process may read it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

WINDOWS_PER_SIDE = 14


class Stepping(StrEnum):
    """How the points on the path of Integrated Gradients are chosen."""

    FIXED = "fixed"
    ADAPTIVE = "adaptive"


class Given(StrEnum):
    """What a method is given besides model, image and target."""

    BASELINE = "baseline"
    BASELINES = "baselines"
    SEGMENTS = "segments"
    WINDOW = "window"
    STEPS = "steps"


@dataclass(frozen=True)
class Preset:
    """How much work goes into a pair of maps.

    Attributes:
        n_steps: Points on the path of Integrated Gradients.
        tolerance: What the adaptive rule refines to, instead.
        most_steps: Points that the adaptive rule may use.
        strides_per_window: How many strides of Occlusion make one window.
        curve_steps: Steps of deletion and insertion, by which maps are checked.
    """

    n_steps: int
    tolerance: float
    most_steps: int
    strides_per_window: int
    curve_steps: int

    def window_px(self, height: int, width: int) -> int:
        """Return the side of Occlusion's window for a model's input: 16 pixels at 224."""
        return max(1, round(min(height, width) / WINDOWS_PER_SIDE))

    def stride_px(self, window_px: int) -> int:
        """Return Occlusion's stride for a window: 8 pixels at 16 in the standard preset."""
        return max(1, window_px // self.strides_per_window)

    def steps(self, stepping: Stepping) -> dict[str, Any]:
        """Return the options that choose the points of Integrated Gradients."""
        if stepping is Stepping.ADAPTIVE:
            return {"rule": "adaptive", "tolerance": self.tolerance, "n_steps": self.most_steps}
        return {"n_steps": self.n_steps}


PRESETS = {
    "quick": Preset(20, tolerance=0.05, most_steps=128, strides_per_window=1, curve_steps=3),
    "standard": Preset(50, tolerance=0.01, most_steps=512, strides_per_window=2, curve_steps=5),
    "publication": Preset(
        200, tolerance=0.002, most_steps=2048, strides_per_window=4, curve_steps=10
    ),
}


@dataclass(frozen=True)
class Offer:
    """How the application runs a method.

    Attributes:
        unit: What a value of its map is, as shown above the map.
        counted: What its progress counts.
        given: What it needs besides model, image and target.
        efforts: Its numeric options, each by preset.
        warning: What must stand beside every map of it.
    """

    unit: str
    counted: str = "passes"
    given: frozenset[Given] = frozenset()
    efforts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    warning: str = ""

    def options(self, preset: str) -> dict[str, int]:
        """Return the numeric options at a preset."""
        return {name: by_preset[preset] for name, by_preset in self.efforts.items()}


def _efforts(**by_name: tuple[int, int, int]) -> dict[str, dict[str, int]]:
    """Return options by preset from (quick, standard, publication)."""
    return {name: dict(zip(PRESETS, numbers, strict=True)) for name, numbers in by_name.items()}


def _offer(
    unit: str,
    counted: str = "passes",
    *given: Given,
    warning: str = "",
    **efforts: tuple[int, int, int],
) -> Offer:
    return Offer(unit, counted, frozenset(given), _efforts(**efforts), warning)


_UNSIGNED = "Without sign: it shows where the slope is unsteady, not for or against the class."
_OF_BASELINES = (
    "Without sign: it shows where the blank image decides, not for or against the class."
)
_ONE_FOR_ALL = "Where attention could flow: without sign, and the same for every class."
_FOR_ALONE = "What spoke against the class is left out."
_HARDLY_LEARNT = "Draws the image's edges and hardly depends on what the network has learnt."

_BASELINE, _SEGMENTS = Given.BASELINE, Given.SEGMENTS

OFFERED: dict[str, Offer] = {
    "integrated_gradients": _offer("score per pixel", "points", _BASELINE, Given.STEPS),
    "occlusion": _offer("fall in score", "windows", _BASELINE, Given.WINDOW),
    "expected_gradients": _offer(
        "score per pixel", "points", Given.BASELINES, n_steps=(10, 25, 50)
    ),
    "baseline_sensitivity": _offer(
        "deviation over blank images",
        "points",
        Given.BASELINES,
        warning=_OF_BASELINES,
        n_steps=(10, 25, 50),
    ),
    "saliency": _offer("slope of the score"),
    "input_x_gradient": _offer("score per pixel"),
    "smooth_grad": _offer("mean slope of the score", n_samples=(10, 25, 100)),
    "var_grad": _offer("variance of the slope", warning=_UNSIGNED, n_samples=(10, 25, 100)),
    "gradient_shap": _offer(
        "score per pixel", "samples", Given.BASELINES, n_samples=(50, 200, 1000)
    ),
    "deeplift": _offer("score per pixel", "passes", _BASELINE),
    "guided_backprop": _offer("guided slope", warning=_HARDLY_LEARNT),
    "feature_ablation": _offer(
        "fall in score, by region", "regions", _BASELINE, _SEGMENTS, n_segments=(30, 60, 120)
    ),
    "kernel_shap": _offer(
        "share of the score, by region",
        "mixtures",
        _BASELINE,
        _SEGMENTS,
        n_segments=(25, 50, 50),
        n_samples=(256, 1024, 4096),
    ),
    "lrp": _offer("share of the score, handed back"),
    "grad_cam": _offer("share of the score, by place"),
    "attention_rollout": _offer("share of the attention", warning=_ONE_FOR_ALL),
    "gradient_rollout": _offer("attention that raises the score", warning=_FOR_ALONE),
    "rise": _offer("effect on the score", "masks", _BASELINE, n_masks=(500, 2000, 8000)),
}
"""The methods on offer, by their key in `xai_core.glossary.entries.METHODS`."""

PAIR = ("integrated_gradients", "occlusion")
"""The methods that every case is explained by, left and right."""
