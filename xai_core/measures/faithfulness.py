"""Deletion and insertion (Petsiuk, Das & Saenko, RISE, BMVC 2018, arXiv:1806.07421, section 4.1).

The cells that speak most for the target are taken away first, or shown first: does the score fall,
and rise, as early as the map claims? To show cells in one order is to take them away in the reverse
order, read backwards: a random order's curve controls both, and the gap between insertion and
deletion compares the map's order with its own reverse. An order that knows nothing has, on
average, no gap.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from xai_core.errors import MapError
from xai_core.heat import Heat, cell_means, map_health
from xai_core.measures.cells import Order, first_of
from xai_core.measures.trial import Trial
from xai_core.runtime.run import UNWATCHED, Run


@dataclass(frozen=True)
class Curve:
    """The score while cells are taken away or shown.

    Attributes:
        shares: Share of the cells that have changed, from 0 to 1.
        scores: (F - F(baseline)) / |F(image) - F(baseline)| at each share: 0 at the baseline, 1 at
            the image, or -1 there where the baseline scores higher.
    """

    shares: tuple[float, ...]
    scores: tuple[float, ...]

    @property
    def auc(self) -> float:
        """Area under the curve, by trapezoids."""
        return float(np.trapezoid(self.scores, self.shares))


@dataclass(frozen=True)
class Faithfulness:
    """Whether the score follows the map's order of the cells.

    Attributes:
        deletion: Cells taken away, what speaks most for the target first.
        insertion: Cells shown on the baseline, in the same order.
        random: Cells taken away in random order, the mean over orders.
    """

    deletion: Curve
    insertion: Curve
    random: Curve

    @property
    def gap(self) -> float:
        """Area under insertion less that under deletion, as a share of the range of the scores.

        From -1 to 1; 0 for an order that knows nothing. An image with holes may score far beyond
        image and baseline: without the range, any order's gap would be wide there.
        """
        curves = (self.deletion, self.insertion, self.random)
        scores = [score for curve in curves for score in curve.scores]
        return (self.insertion.auc - self.deletion.auc) / float(np.ptp(scores))

    def to_json(self) -> dict[str, Any]:
        """Return areas and curves, JSON-safe."""
        return {
            "deletion_auc": self.deletion.auc,
            "insertion_auc": self.insertion.auc,
            "random_auc": self.random.auc,
            "gap": self.gap,
            "shares": list(self.deletion.shares),
            "deletion": list(self.deletion.scores),
            "insertion": list(self.insertion.scores),
            "random": list(self.random.scores),
        }


def faithfulness(heat: Heat, trial: Trial, run: Run = UNWATCHED) -> Faithfulness | None:
    """Measure deletion and insertion of a map, or return None where the score has no span.

    Args:
        heat: Signed map, (H, W).
        trial: The prediction that it explains.
        run: How to pass images; progress counts them, two for each inner point.

    Raises:
        MapError: The map holds NaN or infinity, or does not have the image's size.
        Cancelled: The caller asked to stop.
        MemoryExhaustedError: One image at a time is too much for the device.
    """
    if trial.span == 0:
        return None
    side, order = trial.cells.side, strongest_first(heat, trial)
    n_cells = order.size
    deleted = ~first_of(order, trial.counts, side)
    inserted = first_of(order, trial.counts, side)
    scores = trial.cells.scores(np.concatenate([deleted, inserted]), run)
    shares = (0.0, *(count / n_cells for count in trial.counts), 1.0)

    def curve(*values: float) -> Curve:
        return Curve(shares, tuple((float(v) - trial.f_baseline) / abs(trial.span) for v in values))

    on_deletion, on_insertion = np.split(scores, 2)
    return Faithfulness(
        deletion=curve(trial.f_image, *on_deletion, trial.f_baseline),
        insertion=curve(trial.f_baseline, *on_insertion, trial.f_image),
        random=curve(trial.f_image, *trial.random_scores, trial.f_baseline),
    )


def strongest_first(heat: Heat, trial: Trial) -> Order:
    """Return the cells in order of the map's means, ties at random.

    Raises:
        MapError: The map holds NaN or infinity, or does not have the image's size.
    """
    size = tuple(trial.cells.image.shape[2:])
    if heat.shape != size or map_health(heat).n_bad:
        raise MapError(f"the map is {heat.shape} or not finite; allowed: finite and {size}")
    means = cell_means(heat, trial.cells.side).ravel()
    # Where a map is silent its order is none: row by row would favour the upper edge.
    ties = np.random.default_rng(0).random(means.size)
    return np.lexsort((ties, -means))
