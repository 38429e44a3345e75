"""What the methods that differentiate the score at one image have in common."""

import operator
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from xai_core.attribution import Attribution
from xai_core.runtime import device as devices
from xai_core.runtime.chunks import chunks, in_parts
from xai_core.runtime.run import Run
from xai_core.scoring import (
    Output,
    TargetScore,
    as_image,
    checked_pass,
    choice,
    differentiable,
    require_eval_mode,
    target_score,
)

Forward = Callable[[Tensor], Tensor]
"""F: images (N, C, H, W) to scores, (N,)."""


@dataclass(frozen=True)
class Passed:
    """What one pass gave.

    Attributes:
        values: The map, (C, H, W).
        score: F(image).
        baseline_score: F(baseline), where the values shall sum to F(image) - F(baseline).
        measures: JSON-safe numbers on the result.
        notes: What a reader of the map should know of how it was made.
    """

    values: Tensor
    score: float
    baseline_score: float | None = None
    measures: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def convergence_delta(self) -> float | None:
        """By how much the values miss their sum, where one is promised."""
        if self.baseline_score is None:
            return None
        return float(self.values.double().sum()) - (self.score - self.baseline_score)


@dataclass(frozen=True)
class Asked:
    """What is to be explained; see `xai_core.scoring.target_score`.

    Attributes:
        model: In eval mode.
        image: (1, C, H, W).
        target: Class index, not checked yet.
        output: What of the target's scores is F.
    """

    model: nn.Module
    image: Tensor
    target: int
    output: Output

    def score(self) -> TargetScore:
        """Return F, checked by one pass of the model."""
        return target_score(self.model, self.image, self.target, self.output)

    def attributed(self, attribute: Callable[[Forward, Tensor], Tensor]) -> Passed:
        """Return what `attribute(F, image)` gives, where the one pass that it makes is checked."""
        checked: list[TargetScore] = []

        def forward(point: Tensor) -> Tensor:
            score, f_image = checked_pass(self.model, point, self.target, self.output)
            checked.append(score)
            return f_image

        values = attribute(forward, self.image.detach().requires_grad_())
        return Passed(values.detach()[0], checked[0].clean_score)


def differentiate(score: TargetScore, points: Tensor) -> tuple[Tensor, Tensor]:
    """Return dF/dx at each point, (N, C, H, W) as the points, and F there, (N,)."""
    points = points.detach().requires_grad_()
    scores = score(points)
    (slopes,) = torch.autograd.grad(scores.sum(), points)
    return slopes, scores.detach()


def by_one_pass(
    attribute: Callable[[Asked], Passed],
    model: nn.Module,
    image: Tensor,
    *,
    target: int,
    method: str,
    params: dict[str, Any],
    output: Output | str,
    run: Run,
) -> Attribution:
    """Explain an image by `attribute`, which has F checked and passes the image.

    All else are the arguments of the methods, such as `xai_core.saliency`.
    """
    started = time.perf_counter()
    with differentiable():
        require_eval_mode(model)
        image = as_image(image, model)
        asked = Asked(model, image, target, choice(Output, output, "output"))
        ((_, passed),) = in_parts(chunks(1, 1), lambda _: attribute(asked), run)
    return Attribution(
        values=passed.values.float().cpu(),
        target=operator.index(target),
        method=method,
        params={**params, "output": str(asked.output)},
        seconds=time.perf_counter() - started,
        device=devices.device_name(image.device),
        score=passed.score,
        baseline_score=passed.baseline_score,
        convergence_delta=passed.convergence_delta,
        measures=passed.measures,
        notes=passed.notes,
    )
