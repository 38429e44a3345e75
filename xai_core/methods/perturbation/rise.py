"""RISE: randomised input sampling (Petsiuk, Das & Saenko, BMVC 2018, arXiv:1806.07421)."""

import math
import time
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from xai_core.attribution import Attribution
from xai_core.errors import InputError
from xai_core.methods.documented import documented
from xai_core.methods.perturbation.masking import MaskedImage
from xai_core.runtime import device as devices
from xai_core.runtime.chunks import Chunk, chunks
from xai_core.runtime.run import IsCancelled, Progress, Run
from xai_core.scoring import Baseline, Output, describe_baseline

_MASKS_AT_ONCE = 32  # when they are added up, where no model takes part


@documented()
def rise(
    model: nn.Module,
    image: Tensor,
    *,
    target: int,
    n_masks: int = 2000,
    grid: int = 7,
    share_open: float = 0.5,
    baseline: Baseline = 0.0,
    output: Output | str = Output.LOGIT,
    seed: int = 0,
    chunk_size: int | None = None,
    progress: Progress | None = None,
    cancelled: IsCancelled | None = None,
) -> Attribution:
    """Attribute to each pixel how much higher the score is, on average, when a mask is open there.

    A mask is a coarse random grid, drawn smooth and shifted at random. The paper's map is the mean
    of F(masked image) m / p; here the mean score is taken off first, which leaves the order of
    pixels as it is, makes 0 mean "no effect", and takes off the spread that the score's own
    height would put into the map.

    Args:
        n_masks: Masked images to pass, 2 or more.
        grid: Cells of a mask a side, 1 or more.
        share_open: Chance p of a cell to show the image, between 0 and 1.
        baseline: What shows where a mask is shut, in the model's input space: a number, or a
            tensor that broadcasts to the image.

    Returns:
        An attribution of one channel, in units of the target's score. `measures` holds
        `standard_error`, the root mean square over pixels, and `relative_standard_error`, that
        over the map's largest value.

    Raises:
        InputError: Image, baseline, output or an option is not usable.

    Example:
        >>> effects = rise(model, image, target=2, n_masks=50, grid=2)
        >>> effects.values.shape, effects.measures["standard_error"] > 0
        (torch.Size([1, 8, 8]), True)
    """
    started = time.perf_counter()
    masked = MaskedImage.of(model, image, target=target, baseline=baseline, output=output)
    masks = _Masks.drawn(masked.image, n_masks, grid=grid, share_open=share_open, seed=seed)
    scores = masked.scores(n_masks, masks.at, Run(chunk_size, progress, cancelled))
    heat, standard_error = _covariance(masks, scores)
    return Attribution(
        values=heat.float().cpu(),
        target=masked.score.target,
        method="rise",
        params={
            "n_masks": n_masks,
            "grid": grid,
            "share_open": share_open,
            "baseline": describe_baseline(baseline),
            "output": str(masked.score.output),
            "seed": seed,
        },
        seconds=time.perf_counter() - started,
        device=devices.device_name(masked.image.device),
        score=masked.score.clean_score,
        measures=_measures(heat, standard_error),
    )


@dataclass(frozen=True)
class _Masks:
    """Smooth random masks, all drawn and none of them made.

    Attributes:
        grids: 1 where a cell is open, (n, 1, s, s) on the image's device.
        shifts: By how many pixels a mask is moved up and left, (n, 2), less than a cell.
        height: Of a mask, pixels.
        width: Of a mask, pixels.
        share_open: What each pixel of a mask is on average.
    """

    grids: Tensor
    shifts: Tensor
    height: int
    width: int
    share_open: float

    @classmethod
    def drawn(
        cls, image: Tensor, n_masks: int, *, grid: int, share_open: float, seed: int
    ) -> "_Masks":
        """Draw masks for an image, (1, C, H, W).

        Raises:
            InputError: A number is out of its range.
        """
        height, width = image.shape[2:]
        if not isinstance(n_masks, int) or n_masks < 2:
            raise InputError(f"n_masks is {n_masks!r}; allowed: 2 or more")
        if not isinstance(grid, int) or not 1 <= grid <= min(height, width):
            raise InputError(f"grid is {grid!r}; allowed here: 1 to {min(height, width)} cells")
        if not 0 < share_open < 1:
            raise InputError(f"share_open is {share_open}; allowed: between 0 and 1")
        generator = torch.Generator().manual_seed(seed)
        grids = torch.rand(n_masks, 1, grid, grid, generator=generator) < share_open
        cell = torch.tensor([math.ceil(height / grid), math.ceil(width / grid)])
        shifts = (torch.rand(n_masks, 2, generator=generator) * cell).long()
        return cls(grids.to(image), shifts, height, width, share_open)

    def __len__(self) -> int:
        return len(self.grids)

    def at(self, chunk: Chunk) -> Tensor:
        """Return the masks of a chunk, (len(chunk), 1, H, W) in [0, 1]."""
        n_cells = self.grids.shape[-1]
        cell_h, cell_w = math.ceil(self.height / n_cells), math.ceil(self.width / n_cells)
        smooth = F.interpolate(
            self.grids[chunk.start : chunk.stop],
            size=((n_cells + 1) * cell_h, (n_cells + 1) * cell_w),
            mode="bilinear",
            align_corners=False,
        )
        shifts = self.shifts[chunk.start : chunk.stop].tolist()
        return torch.stack(
            [
                mask[:, top : top + self.height, left : left + self.width]
                for mask, (top, left) in zip(smooth, shifts, strict=True)
            ]
        )


def _covariance(masks: _Masks, scores: NDArray[np.float64]) -> tuple[Tensor, Tensor]:
    """Return cov(F, m) / p over the masks at each pixel, and its standard error, both (1, H, W).

    Masks are made a second time rather than kept: all of them would not fit into memory.
    """
    n_masks = len(masks)
    rises = torch.from_numpy(scores - scores.mean()).view(-1, 1, 1, 1).to(masks.grids)
    total = torch.zeros(
        1, masks.height, masks.width, dtype=torch.float64, device=masks.grids.device
    )
    squares = total.clone()
    for chunk in chunks(n_masks, _MASKS_AT_ONCE):
        open_by = (masks.at(chunk) - masks.share_open) / masks.share_open
        products = (rises[chunk.start : chunk.stop] * open_by).double()
        total += products.sum(0)
        squares += products.square().sum(0)
    # The mean score was itself taken from the masks: n - 1.
    heat = total / (n_masks - 1)
    variance = (squares / n_masks - (total / n_masks).square()).clamp_min(0)
    return heat, (variance / (n_masks - 1)).sqrt()


def _measures(heat: Tensor, standard_error: Tensor) -> dict[str, float | None]:
    error, largest = float(standard_error.square().mean().sqrt()), float(heat.abs().max())
    return {
        "standard_error": error,
        "relative_standard_error": error / largest if largest > 0 else None,
    }
