"""Infidelity (Yeh et al., NeurIPS 2019, arXiv:1901.09392): does the map foretell the drops?

A perturbation I of the image x changes the score by F(x) - F(x - I), and a map Phi foretells
I . Phi of it. Infidelity is the mean square of what it misses. The paper's Phi is a slope; our maps
hold parts of the score, (x - b) already in them, so a region that gives way to the baseline b is
foretold the sum of the map over it (as `multiply_by_inputs` has it in Captum).
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from xai_core.errors import MapError
from xai_core.heat import Heat, cell_means, map_health
from xai_core.measures.cells import Scores
from xai_core.measures.trial import Trial


@dataclass(frozen=True)
class Infidelity:
    """How far a map misses the drops of the score when regions of the image are taken away.

    Attributes:
        value: Mean square of what the map misses, in squared units of the score.
        share: What the map misses at its best scale, as a share of the mean squared drop: 0 to 1.
            A map of zeros reaches 1.
        even_share: What an even map reaches for `share`: it foretells each drop by the area.
    """

    value: float
    share: float
    even_share: float

    def to_json(self) -> dict[str, Any]:
        """Return the numbers by their names."""
        return asdict(self)


def infidelity(heat: Heat, trial: Trial) -> Infidelity | None:
    """Compare the falls of a trial with a map, or return None where the score never falls.

    Costs no pass: the trial has the drops.

    Args:
        heat: Signed map in units of the score, (H, W).
        trial: The prediction that it explains.

    Raises:
        MapError: The map holds NaN or infinity.
    """
    if map_health(heat).n_bad:
        raise MapError("the map holds values that are NaN or infinite; allowed: finite")
    if not trial.drops.any():
        return None
    cells = cell_means(heat, trial.cells.side)
    areas = cell_areas(heat.shape, trial.cells.side)
    inside = trial.regions.reshape(len(trial.regions), -1)
    foretold = inside @ (cells * areas).ravel()
    return Infidelity(
        value=mean_square_miss(foretold, trial.drops),
        share=missed_share(foretold, trial.drops),
        even_share=missed_share(inside @ areas.ravel(), trial.drops),
    )


def mean_square_miss(foretold: Scores, drops: Scores) -> float:
    """Return the mean of (foretold - drop)^2, both (n,)."""
    return float(np.mean((foretold - drops) ** 2))


def best_scale(foretold: Scores, drops: Scores) -> float:
    """Return the factor that brings what is foretold closest to the drops; not below 0."""
    power = float(foretold @ foretold)
    return max(0.0, float(foretold @ drops) / power) if power > 0 else 0.0


def missed_share(foretold: Scores, drops: Scores) -> float:
    """Return what is missed at the best scale, as a share of the drops' mean square, 0 to 1."""
    scaled = best_scale(foretold, drops) * foretold
    return mean_square_miss(scaled, drops) / float(np.mean(drops**2))


def cell_areas(shape: tuple[int, ...], side: int) -> Scores:
    """Return the pixels in each cell of a map of this shape, (side, side)."""
    rows, columns = (np.diff([*(np.arange(side) * n // side), n]) for n in shape)
    return np.outer(rows, columns).astype(np.float64)
