"""Where two maps of the same picture contradict each other, as a picture to draw."""

import numpy as np
from numpy.typing import NDArray

from xai_core.errors import MapError
from xai_core.heat import Heat, cell_means, cell_of, map_health

N_CELLS = 16


def disagreement_map(a: Heat, b: Heat, *, n_cells: int = N_CELLS) -> NDArray[np.float32]:
    """Return how far map `a` says more than map `b` at each pixel, in [-1, 1].

    Each map is averaged over cells and scaled to its largest |cell|, and half their difference is
    taken: 1 where `a` speaks fully for the target and `b` fully against it, 0.5 where one speaks
    and the other is silent, 0 where both say the same, negative where `b` says more. Two unrelated
    maps reach some +-0.3; a map and its multiple reach 0 everywhere.

    Args:
        a: Signed map, (H, W).
        b: Signed map, (H', W').
        n_cells: Cells a side, fewer where a map is smaller: pixels of maps with different grain
            differ everywhere and mean nothing.

    Returns:
        (H, W), even within each cell.

    Raises:
        MapError: A map is flat, or holds NaN or infinity.
    """
    for heat in (a, b):
        if problem := map_health(heat).problem:
            raise MapError(problem)
    side = min(n_cells, *a.shape, *b.shape)
    first, second = (_scaled(cell_means(heat, side)) for heat in (a, b))
    rows, columns = (cell_of(length, side) for length in a.shape)
    difference: NDArray[np.float32] = ((first - second) / 2).astype(np.float32)
    return difference[np.ix_(rows, columns)]


def _scaled(cells: NDArray[np.float64]) -> NDArray[np.float64]:
    limit = np.abs(cells).max()
    return cells / limit if limit > 0 else cells
