"""What a map holds, alone and beside another: the arithmetic under `xai_core.measures`.

All functions are pure and take NumPy arrays; heat maps are signed, (H, W). Each measure comes with
what a map that knows nothing would reach, where there is such a number.
"""

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


@dataclass(frozen=True)
class FrameShare:
    """Where the map's weight |a| lies: is the model looking at markers and edges?

    Attributes:
        border: Share of the weight in the outermost frame.
        corners: Share of the weight in the four corner squares.
        border_area: Share of the area in the frame: what an even map would reach.
        corners_area: The same for the corners.
    """

    border: float
    corners: float
    border_area: float
    corners_area: float


@dataclass(frozen=True)
class Concentration:
    """How much of what speaks for the target one place holds: is the map a single spike?

    Attributes:
        top_cell: Share of the positive weight in the strongest cell, 0 to 1.
        top_pixel: Share in the strongest pixel.
        even_cell: What an even map gives a cell.
    """

    top_cell: float
    top_pixel: float
    even_cell: float


def relative_delta(delta: float, span: float) -> float | None:
    """Return |delta| / |span| with span = F(x) - F(b), or None where the span is about 0.

    Args:
        delta: sum(attribution) - span, the error of completeness.
        span: What the attribution should sum to, in units of the score.
    """
    return abs(delta) / abs(span) if abs(span) > _NEGLIGIBLE else None


def map_health(heat: Heat) -> MapHealth:
    """Look for values that are not numbers, and for maps without any contrast."""
    finite = np.isfinite(heat)
    if not finite.all():
        return MapHealth(n_bad=int((~finite).sum()), is_flat=False)
    return MapHealth(n_bad=0, is_flat=bool(np.ptp(heat) <= _NEGLIGIBLE * np.abs(heat).max()))


def agreement(a: Heat, b: Heat, *, n_cells: int = 16, top_share: float = 0.1) -> Agreement:
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
        spearman=_spearman(cells_a, cells_b),
        sign_agreement=share(joint, np.sign(cells_a) == np.sign(cells_b)),
        top_iou=len(top_a & top_b) / len(top_a | top_b),
        chance_top_iou=chance_overlap / (2 * n_top - chance_overlap),
        n_cells=n_cells,
    )


def frame_share(heat: Heat, *, border: float = 0.08, corner: float = 0.2) -> FrameShare:
    """Measure the weight along the border and in the corners.

    Args:
        heat: Signed map, (H, W).
        border: Width of the frame, as a share of the shorter side.
        corner: Sides of the corner rectangles, as a share of the map's sides.

    Raises:
        MapError: The map holds NaN or infinity.
    """
    height, width = heat.shape
    from_edge_y = np.minimum(np.arange(height), np.arange(height)[::-1])[:, None]
    from_edge_x = np.minimum(np.arange(width), np.arange(width)[::-1])[None]
    in_border = np.minimum(from_edge_y, from_edge_x) < border * min(height, width)
    in_corners = (from_edge_y < corner * height) & (from_edge_x < corner * width)
    weight = np.abs(finite(heat))
    return FrameShare(
        border=share(weight, in_border),
        corners=share(weight, in_corners),
        border_area=float(in_border.mean()),
        corners_area=float(in_corners.mean()),
    )


def concentration(heat: Heat, *, n_cells: int = 16) -> Concentration:
    """Measure how much of the positive weight the strongest cell and pixel hold.

    Args:
        heat: Signed map, (H, W).
        n_cells: Cells a side, fewer where the map is smaller.

    Raises:
        MapError: The map holds NaN or infinity.
    """
    positive = np.maximum(finite(heat), 0)
    n_cells = min(n_cells, *heat.shape)
    cells = np.maximum(cell_means(heat, n_cells), 0)
    return Concentration(
        top_cell=_largest_share(cells),
        top_pixel=_largest_share(positive),
        even_cell=1 / n_cells**2,
    )


def saturated_share(heat: Heat) -> float:
    """Return the share of the pixels at the map's largest |value|: many only where it is clipped.

    Raises:
        MapError: The map holds NaN or infinity.
    """
    strength = np.abs(finite(heat))
    limit = strength.max()
    return float((strength == limit).mean()) if limit > 0 else 0.0


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


def _largest_share(weight: Heat) -> float:
    total = float(weight.sum())
    return float(weight.max()) / total if total > 0 else 0.0


def _spearman(a: NDArray[np.float64], b: NDArray[np.float64]) -> float | None:
    ranks_a, ranks_b = _ranks(a), _ranks(b)
    spread = float(np.std(ranks_a) * np.std(ranks_b))
    return float(np.cov(ranks_a, ranks_b, bias=True)[0, 1]) / spread if spread > 0 else None


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ranks from 1; equal values share the mean of their ranks."""
    _, group, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    shared: NDArray[np.float64] = (last - (counts - 1) / 2)[group]
    return shared
