"""Scores of an image of which parts are covered: what all perturbation by masks comes down to."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from xai_core.runtime.chunks import Chunk
from xai_core.runtime.run import Run
from xai_core.scoring import (
    Baseline,
    Output,
    TargetScore,
    as_baseline,
    as_image,
    score_images,
    target_score,
)

Masks = Callable[[Chunk], Tensor]
"""Gives the masks of a chunk, (len(chunk), 1, H, W): 1 shows the image, 0 its cover."""


@dataclass(frozen=True)
class MaskedImage:
    """An image, what covers it, and F of any mixture of the two.

    Attributes:
        score: F.
        image: (1, C, H, W).
        cover: (1, C, H, W).
    """

    score: TargetScore
    image: Tensor
    cover: Tensor

    @classmethod
    def of(
        cls,
        model: nn.Module,
        image: Tensor,
        *,
        target: int,
        baseline: Baseline,
        output: Output | str,
    ) -> "MaskedImage":
        """Check what a method was given; see `as_image`, `as_baseline` and `target_score`."""
        image = as_image(image, model)
        cover = as_baseline(baseline, image)
        return cls(target_score(model, image, target, output), image, cover)

    @cached_property
    def baseline_score(self) -> float:
        """F(baseline)."""
        with torch.inference_mode():
            return float(self.score(self.cover))

    def scores(self, n_masks: int, masks: Masks, run: Run) -> NDArray[np.float64]:
        """Return F behind each of the masks, (n_masks,); errors are those of `score_images`."""

        def make(chunk: Chunk) -> Tensor:
            return torch.lerp(self.cover, self.image, masks(chunk).to(self.image))

        return score_images(self.score, self.image, n_masks, make, run)
