"""What a model says of an image some of whose cells give way to a baseline."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xai_core.heat import cell_of
from xai_core.runtime.chunks import Chunk
from xai_core.runtime.run import UNWATCHED, Run
from xai_core.scoring import TargetScore, score_images

Keep = NDArray[np.bool_]
"""Cells that show the image, (n, rows, columns); the others show the baseline."""

Order = NDArray[np.int64]
"""Indices of cells, row by row, the one that goes first in front, (n_cells,)."""

Scores = NDArray[np.float64]

MOST_CELLS = 16  # a side: an image cut into single pixels is noise to which any model answers


@dataclass(frozen=True, eq=False)
class Cells:
    """An image and a baseline, cut into the same grid of cells, before a model.

    Attributes:
        score: F.
        image: (1, C, H, W).
        baseline: (1, C, H, W).
    """

    score: TargetScore
    image: Tensor
    baseline: Tensor

    @property
    def side(self) -> int:
        """Cells a side, fewer than `MOST_CELLS` where the image is smaller."""
        height, width = self.image.shape[2:]
        return min(MOST_CELLS, height, width)

    def scores(self, keep: Keep, run: Run = UNWATCHED) -> Scores:
        """Return F of the image with the cells in `keep`, (n,).

        Args:
            keep: (n, side, side); True shows the image, False the baseline.
            run: How to pass them.

        Raises:
            Cancelled: The caller asked to stop.
            MemoryExhaustedError: One image at a time is too much for the device.
        """
        height, width = self.image.shape[2:]
        rows, columns = cell_of(height, self.side), cell_of(width, self.side)

        def shown(chunk: Chunk) -> Tensor:
            cells = keep[chunk.start : chunk.stop][:, rows][:, None, :, columns]
            where = torch.from_numpy(cells).to(self.image.device)
            return torch.where(where, self.image, self.baseline)

        return score_images(self.score, self.image, len(keep), shown, run)


def first_of(order: Order, counts: Sequence[int], side: int) -> Keep:
    """Return masks of the first cells in an order, one mask for each count, (n, side, side)."""
    rank = np.empty(order.size, dtype=np.int64)
    rank[order] = np.arange(order.size)
    return (rank < np.asarray(counts)[:, None]).reshape(-1, side, side)
