"""Where a map's weight lies: in the frame, in one spot, at a limit.

Each measure comes with what a map that knows nothing would reach, where there is such a number.
"""

from dataclasses import dataclass

import numpy as np

from xai_core.heat import Heat, cell_means, finite, share


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


def _largest_share(weight: Heat) -> float:
    total = float(weight.sum())
    return float(weight.max()) / total if total > 0 else 0.0
