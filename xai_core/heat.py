"""A signed map over pixels, (H, W), as a NumPy array: whether it holds anything, and its cells."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xai_core.errors import MapError

Heat = NDArray[np.floating]
Mask = NDArray[np.bool_]

_NEGLIGIBLE = 1e-6  # of what it is compared with


@dataclass(frozen=True)
class MapHealth:
    """Whether a map carries anything at all.

    Attributes:
        n_bad: Values that are NaN or infinite.
        is_flat: All values are the same, so there is nothing to see.
    """

    n_bad: int
    is_flat: bool

    @property
    def problem(self) -> str | None:
        """What is wrong with the map, or None when it may be drawn."""
        if self.n_bad:
            return f"{self.n_bad} values of the map are NaN or infinite"
        return "the map is flat: all its values are the same" if self.is_flat else None


def map_health(heat: Heat) -> MapHealth:
    """Look for values that are not numbers, and for maps without any contrast."""
    finite = np.isfinite(heat)
    if not finite.all():
        return MapHealth(n_bad=int((~finite).sum()), is_flat=False)
    return MapHealth(n_bad=0, is_flat=bool(np.ptp(heat) <= _NEGLIGIBLE * np.abs(heat).max()))


def cell_means(heat: Heat, n_cells: int) -> NDArray[np.float64]:
    """Return the means of the map in n_cells x n_cells cells of nearly equal size."""
    means = heat.astype(np.float64)
    for axis, length in enumerate(heat.shape):
        starts = np.arange(n_cells) * length // n_cells
        sizes = np.diff([*starts, length])
        means = np.add.reduceat(means, starts, axis) / np.expand_dims(sizes, 1 - axis)
    return means


def cell_of(length: int, n_cells: int) -> NDArray[np.int64]:
    """Return the cell, from 0, of each of `length` pixels along a side, as `cell_means` cuts it."""
    starts = np.arange(n_cells) * length // n_cells
    cells: NDArray[np.int64] = np.searchsorted(starts, np.arange(length), side="right") - 1
    return cells


def finite(heat: Heat) -> Heat:
    """Return the map as it is.

    Raises:
        MapError: It holds NaN or infinity.
    """
    if n_bad := map_health(heat).n_bad:
        raise MapError(f"the map holds {n_bad} values that are NaN or infinite; allowed: finite")
    return heat


def share(weight: Heat, where: Mask) -> float:
    """Return which part of a weight >= 0 lies where the mask is True, 0 to 1; 0 without any."""
    total = float(weight.sum())
    return float(weight[where].sum()) / total if total > 0 else 0.0
