"""How like two maps of the same picture are, on the cells they share."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import spearmanr
from skimage.metrics import structural_similarity

from xai_core.errors import MapError
from xai_core.heat import Heat, cell_means, finite, map_health, share

N_CELLS = 16
_WINDOW = 7  # cells, the side of the windows that SSIM compares


@dataclass(frozen=True)
class Agreement:
    """How far two maps say the same, on a common grid of cells.

    Attributes:
        spearman: Rank correlation of the cells, -1 to 1; unrelated maps reach 0. None where one
            of the maps is flat on the grid.
        sign_agreement: Share of the cells' joint weight |a| |b| in cells of the same sign, 0 to 1;
            unrelated maps reach 0.5.
        top_iou: Intersection over union of the cells that speak most for the target, 0 to 1.
        chance_top_iou: What unrelated maps reach for `top_iou`.
        n_cells: Cells a side.
    """

    spearman: float | None
    sign_agreement: float
    top_iou: float
    chance_top_iou: float
    n_cells: int


def agreement(a: Heat, b: Heat, *, n_cells: int = N_CELLS, top_share: float = 0.1) -> Agreement:
    """Compare two maps of the same picture, of any resolutions, on a grid they share.

    Args:
        a: Signed map, (H, W).
        b: Signed map, (H', W').
        n_cells: Cells a side, fewer where a map is smaller.
        top_share: Share of the cells that count as the top.

    Raises:
        MapError: A map holds NaN or infinity.
    """
    n_cells = min(n_cells, *a.shape, *b.shape)
    cells_a, cells_b = (cell_means(finite(heat), n_cells).ravel() for heat in (a, b))
    joint = np.abs(cells_a * cells_b)
    n_top = max(1, round(top_share * cells_a.size))
    top_a, top_b = (set(np.argsort(-cells)[:n_top].tolist()) for cells in (cells_a, cells_b))
    chance_overlap = n_top**2 / cells_a.size
    return Agreement(
        spearman=_rank_correlation(cells_a, cells_b),
        sign_agreement=share(joint, np.sign(cells_a) == np.sign(cells_b)),
        top_iou=len(top_a & top_b) / len(top_a | top_b),
        chance_top_iou=chance_overlap / (2 * n_top - chance_overlap),
        n_cells=n_cells,
    )


def rank_similarity(a: Heat, b: Heat) -> float:
    """Return Spearman's rank correlation of the cells, -1 to 1; unrelated maps reach 0.

    A map that is flat on the cells ranks nothing, and counts as unrelated.

    Raises:
        MapError: A map holds NaN or infinity.
    """
    return agreement(a, b).spearman or 0.0


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


def _rank_correlation(a: Heat, b: Heat) -> float | None:
    """Return Spearman's of two lists of values, or None where one of them ranks nothing."""
    if not (np.ptp(a) and np.ptp(b)):
        return None
    return float(spearmanr(a, b).statistic)
