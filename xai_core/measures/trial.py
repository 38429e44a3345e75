"""A prediction on trial: everything that measures of its maps share, and no map."""

from dataclasses import dataclass, replace
from itertools import pairwise, product

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from xai_core.errors import InputError, UntraceableError
from xai_core.graph.copies import prepared_copy
from xai_core.measures.cells import Cells, Keep, Scores, first_of
from xai_core.runtime.run import UNWATCHED, Run
from xai_core.scoring import Baseline, Output, TargetScore, as_baseline, as_image, target_score

_NEGLIGIBLE = 1e-6  # of the scores' size: a span that small scales nothing
_PARTS = (2, 3)  # a side: halves and thirds tell as much as twice as many regions at random


@dataclass(frozen=True, eq=False)
class Trial:
    """How a model answers as an image gives way to a baseline, in random orders and by regions.

    Attributes:
        cells: The model, the image and the baseline.
        counts: Cells that have changed at the inner points of a curve.
        f_image: F(image).
        f_baseline: F(baseline).
        random_scores: F after so many cells were taken away in random order, the mean over
            orders, (len(counts),).
        regions: True in the cells of each quarter and each ninth of the image, (n_regions, side,
            side); 13 of them from 3 cells a side on.
        drops: F(image) - F(image without the region), (n_regions,).
    """

    cells: Cells
    counts: tuple[int, ...]
    f_image: float
    f_baseline: float
    random_scores: Scores
    regions: Keep
    drops: Scores

    @property
    def span(self) -> float:
        """F(image) - F(baseline), or exactly 0 where the two differ by rounding alone."""
        span = self.f_image - self.f_baseline
        return span if abs(span) > _NEGLIGIBLE * (abs(self.f_image) + abs(self.f_baseline)) else 0.0


def hold_trial(
    model: nn.Module,
    image: Tensor,
    baseline: Baseline,
    *,
    target: int,
    output: Output | str = Output.LOGIT,
    n_steps: int = 5,
    n_random: int = 1,
    seed: int = 0,
    run: Run = UNWATCHED,
) -> Trial:
    """Pass what the measures of every map of this prediction need.

    Args:
        model: In eval mode; takes (N, C, H, W) and returns (N, K) class scores.
        image: (1, C, H, W), as the model takes it.
        baseline: In the model's input space: a number, or what broadcasts to the image.
        target: Class index.
        output: What of the target's scores is F; see `xai_core.scoring.Output`.
        n_steps: Batches of cells into which a curve is cut.
        n_random: Random orders.
        seed: Of the orders.
        run: How to pass images; progress counts 2 + n_random (n_steps - 1) + n_regions.

    Raises:
        InputError: Image, baseline or output is not usable, or `n_steps` is below 2 or above the
            number of cells.
        TargetError: The target is no class of the model.
        ModelError: The model is in train mode, or does not return class scores.
        Cancelled: The caller asked to stop.
        MemoryExhaustedError: One image at a time is too much for the device.
    """
    image = as_image(image, model)
    score = _prepared(target_score(model, image, target, output), image)
    cells = Cells(score, image, as_baseline(baseline, image))
    n_cells = cells.side**2
    if not 2 <= n_steps <= n_cells or n_random < 1:
        raise InputError(
            f"n_steps is {n_steps}, n_random {n_random}; allowed: 2 to {n_cells}, 1 or more"
        )
    rng = np.random.default_rng(seed)
    counts = tuple(n_cells * step // n_steps for step in range(1, n_steps))
    taken = [first_of(rng.permutation(n_cells), counts, cells.side) for _ in range(n_random)]
    regions = _regions(cells.side)
    ends = np.stack([np.zeros_like(regions[0]), np.ones_like(regions[0])])
    keep = ~np.concatenate([ends, *taken, regions])
    scores = cells.scores(keep, run)
    (f_image, f_baseline), of_orders, of_regions = np.split(scores, [2, len(scores) - len(regions)])
    return Trial(
        cells,
        counts,
        f_image=float(f_image),
        f_baseline=float(f_baseline),
        random_scores=of_orders.reshape(n_random, len(counts)).mean(0),
        regions=regions,
        drops=f_image - of_regions,
    )


def _prepared(score: TargetScore, image: Tensor) -> TargetScore:
    """Return the score as the model's prepared copy gives it, which is sooner, if there is one."""
    try:
        return replace(score, model=prepared_copy(score.model, image))
    except UntraceableError:
        return score


def _regions(side: int) -> NDArray[np.bool_]:
    """Return the parts of grids of 2 x 2 and 3 x 3 that hold a cell, True inside."""
    cuts = [[side * part // n for part in range(n + 1)] for n in _PARTS]
    places = [place for each in cuts for place in product(list(pairwise(each)), repeat=2)]
    regions = np.zeros((len(places), side, side), dtype=bool)
    for region, ((top, bottom), (left, right)) in zip(regions, places, strict=True):
        region[top:bottom, left:right] = True
    return regions[regions.any((1, 2))]
