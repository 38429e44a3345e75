"""Scores of an image of which parts are covered: what all perturbation by masks comes down to."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from xai_core.runtime import device as devices
from xai_core.runtime.chunks import Chunk, IsCancelled, Progress, chunks, in_parts
from xai_core.scoring import (
    Baseline,
    Output,
    TargetScore,
    activation_bytes,
    as_baseline,
    as_image,
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

    def scores(
        self,
        n_masks: int,
        masks: Masks,
        *,
        chunk_size: int | None,
        progress: Progress | None,
        cancelled: IsCancelled | None,
    ) -> NDArray[np.float64]:
        """Return F behind each of the masks, (n_masks,).

        Raises:
            InputError: The chunk size is below 1.
            Cancelled: The caller asked to stop.
            MemoryExhaustedError: One image at a time is too much for the device.
        """
        if chunk_size is None:
            each = activation_bytes(self.score, self.image)
            chunk_size = devices.chunk_size(each, self.image.device, limit=n_masks)
        scores = torch.empty(n_masks, dtype=torch.float64, device=self.image.device)
        parts = in_parts(
            chunks(n_masks, chunk_size),
            lambda chunk: self._scores(masks(chunk)),
            progress=progress,
            cancelled=cancelled,
        )
        for chunk, part in parts:
            scores[chunk.start : chunk.stop] = part
        on_host: NDArray[np.float64] = scores.cpu().numpy()
        return on_host

    def _scores(self, masks: Tensor) -> Tensor:
        with torch.inference_mode():
            return self.score(torch.lerp(self.cover, self.image, masks.to(self.image)))
