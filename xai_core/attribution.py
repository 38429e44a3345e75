"""The result of every method: a signed map and all that is needed to judge and repeat it."""

from base64 import b64encode
from dataclasses import dataclass, field
from html import escape
from typing import Any

from torch import Tensor

from xai_core.errors import MapError
from xai_core.rendering import heat_png

_NO_SPAN = 1e-6  # of the score

DISCLAIMER = "A help for the eye, not evidence."
"""Stands beside every picture of an attribution."""


@dataclass(frozen=True, eq=False)
class Attribution:
    """How much each input value spoke for the target (positive) or against it (negative).

    Attributes:
        values: (C, H, W) float32 on the CPU, in units of the target's score; one channel where the
            method does not tell channels apart.
        target: Class index that was explained.
        method: Its key in `xai_core.glossary.entries.METHODS`.
        params: JSON-safe parameters that, with model and image, repeat the computation.
        seconds: Wall time of the computation.
        device: Where it was computed.
        score: F(image), the number that was explained (`params["output"]` says which).
        baseline_score: F(baseline), where the method knows it.
        convergence_delta: sum(values) - (F(image) - F(baseline)), where the method promises 0.
        measures: JSON-safe numbers that the method itself gives on its result.
        notes: What a reader of the map should know of how it was made.
        spread: (H, W) float32, how much `heat` varies over the baselines that were averaged
            (standard deviation), where several were.
        channels_share: All channels were changed at once and each holds the whole effect.

    Example:
        >>> values = torch.tensor([[[0.5, -0.2]], [[0.25, 0.0]]])
        >>> map_ = Attribution(values, 2, "occlusion", {}, seconds=0.1, device="cpu", score=1.0)
        >>> map_.heat
        tensor([[ 0.7500, -0.2000]])
        >>> map_.caption
        'Occlusion, target 2'
    """

    values: Tensor
    target: int
    method: str
    params: dict[str, Any]
    seconds: float
    device: str
    score: float
    baseline_score: float | None = None
    convergence_delta: float | None = None
    measures: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    spread: Tensor | None = None
    channels_share: bool = False

    @property
    def heat(self) -> Tensor:
        """The map over pixels, (H, W) float32: the channels' sum, or what they share."""
        return self.values.mean(0) if self.channels_share else self.values.sum(0)

    @property
    def relative_delta(self) -> float | None:
        """|convergence_delta| / |F(image) - F(baseline)|, or None where that means nothing."""
        if self.convergence_delta is None or self.baseline_score is None:
            return None
        span = abs(self.score - self.baseline_score)
        return abs(self.convergence_delta) / span if span > _NO_SPAN else None

    @property
    def caption(self) -> str:
        """One line that says what the picture is."""
        parts = [self.method.replace("_", " ").capitalize(), f"target {self.target}"]
        if self.relative_delta is not None:
            parts.append(f"convergence delta {self.relative_delta:.1%}")
        return ", ".join(parts)

    def _repr_png_(self) -> bytes | None:
        """Draw the map with its colour bar, or nothing where it must not be drawn."""
        try:
            return heat_png(self.heat.numpy())
        except MapError:
            return None

    def _repr_html_(self) -> str:
        try:
            png = b64encode(heat_png(self.heat.numpy())).decode()
            picture = f'<img alt="{escape(self.caption)}" src="data:image/png;base64,{png}">'
        except MapError as exc:
            picture = f"<strong>Not drawn: {escape(str(exc))}</strong>"
        lines = [self.caption, *self.notes, DISCLAIMER]
        return (
            f"<figure>{picture}<figcaption>{'<br>'.join(map(escape, lines))}</figcaption></figure>"
        )
