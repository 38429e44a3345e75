"""What two maps agree on by chance: the same maps, one of them shifted over the other.

Maps of one kind of picture resemble each other whatever they are about: silent over most of it,
positive for the most part. Shifting keeps all that, and takes away only that the maps belong to the
same places (the toroidal shift of spatial statistics).
"""

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np

from xai_core.heat import Heat, cell_means
from xai_core.measures.similarity import N_CELLS, agreement, can_compare, ssim

_SHIFTS = 4  # along each axis


def shifted_agreement(a: Heat, b: Heat) -> dict[str, float | None]:
    """Return the mean agreement of two maps over shifts of `a` by quarters of its sides, JSON-safe.

    Args:
        a: Signed map, (H, W).
        b: Signed map, (H', W').

    Returns:
        `spearman`, `top_k_iou`, `sign` and `ssim`, which is None for maps of fewer than 7 pixels a
        side.

    Raises:
        MapError: A map holds NaN or infinity.
    """
    side = min(N_CELLS, *a.shape, *b.shape)
    first, second = (cell_means(heat, side) for heat in (a, b))
    found = [agreement(shifted, second) for shifted in _shifts(first)]
    alike = [ssim(shifted, second) for shifted in _shifts(first) if can_compare(first, second)]
    return {
        "spearman": _mean([each.spearman or 0.0 for each in found]),
        "top_k_iou": _mean([each.top_iou for each in found]),
        "sign": _mean([each.sign_agreement for each in found]),
        "ssim": _mean(alike),
    }


def _shifts(cells: Heat) -> Iterator[Heat]:
    side = len(cells)
    steps = [number * side // _SHIFTS for number in range(_SHIFTS)]
    for down, right in product(steps, steps):
        if down or right:
            yield np.roll(cells, (down, right), axis=(0, 1))


def _mean(values: list[Any]) -> float | None:
    return float(np.mean(values)) if values else None
