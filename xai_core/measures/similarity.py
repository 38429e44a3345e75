"""How like two maps of the same picture are, on the cells they share."""

import numpy as np
from skimage.metrics import structural_similarity

from xai_core.errors import MapError
from xai_core.trust import Heat, agreement, cell_means, map_health

N_CELLS = 16
_WINDOW = 7  # cells, the side of the windows that SSIM compares


def rank_similarity(a: Heat, b: Heat) -> float:
    """Return Spearman's rank correlation of the cells, -1 to 1; unrelated maps reach 0.

    A map that is flat on the cells ranks nothing, and counts as unrelated.

    Raises:
        MapError: A map holds NaN or infinity.
    """
    return agreement(a, b, n_cells=N_CELLS).spearman or 0.0


def ssim(a: Heat, b: Heat) -> float:
    """Return the structural similarity of two maps, -1 to 1; unrelated maps reach about 0.

    Each map is scaled by its largest |cell| and moved to [0, 1], 0 to the middle: units do not
    matter, and where signs differ so does the structure; between maps with signs of their own the
    product of luminance and structure would call a map and its negative alike. Wang et al., Image
    quality assessment, IEEE TIP 2004; scikit-image's windows of 7 cells.

    Args:
        a: Signed map, (H, W), 7 pixels a side or more.
        b: Signed map, (H', W').

    Raises:
        MapError: A map holds NaN or infinity, or is smaller than a window.
    """
    if not can_compare(a, b) or map_health(a).n_bad or map_health(b).n_bad:
        raise MapError(
            f"maps are {a.shape} and {b.shape}; allowed: finite, {_WINDOW} pixels a side or more"
        )
    side = min(N_CELLS, *a.shape, *b.shape)
    first, second = (_unit(cell_means(heat, side)) for heat in (a, b))
    return float(structural_similarity(first, second, win_size=_WINDOW, data_range=1.0))


def can_compare(a: Heat, b: Heat) -> bool:
    """Say whether two maps are large enough for `ssim`."""
    return all(length >= _WINDOW for length in a.shape + b.shape)


def _unit(cells: Heat) -> Heat:
    limit = np.abs(cells).max()
    return (cells / limit + 1) / 2 if limit > 0 else cells + 0.5
