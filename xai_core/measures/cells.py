"""What a model says of an image some of whose cells give way to a baseline."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xai_core.runtime import device as devices
from xai_core.runtime import heap
from xai_core.runtime.chunks import IsCancelled, Progress, chunks, in_parts
from xai_core.scoring import TargetScore, activation_bytes
from xai_core.trust import cell_of

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
        chunk_size: Images passed at once; None takes it from the free memory.
    """

    score: TargetScore
    image: Tensor
    baseline: Tensor
    chunk_size: int | None = None

    @property
    def side(self) -> int:
        """Cells a side, fewer than `MOST_CELLS` where the image is smaller."""
        height, width = self.image.shape[2:]
        return min(MOST_CELLS, height, width)

    @heap.kept()
    def scores(
        self,
        keep: Keep,
        *,
        progress: Progress | None = None,
        cancelled: IsCancelled | None = None,
    ) -> Scores:
        """Return F of the image with the cells in `keep`, (n,).

        Args:
            keep: (n, side, side); True shows the image, False the baseline.
            progress: Called with images done and their number.
            cancelled: Asked between chunks.

        Raises:
            Cancelled: The caller asked to stop.
            MemoryExhaustedError: One image at a time is too much for the device.
        """
        parts = in_parts(
            chunks(len(keep), self._images_at_once),
            lambda chunk: self._passed(keep[chunk.start : chunk.stop]),
            progress=progress,
            cancelled=cancelled,
        )
        return np.concatenate([scores for _, scores in parts])

    def _passed(self, keep: Keep) -> Scores:
        height, width = self.image.shape[2:]
        rows, columns = cell_of(height, self.side), cell_of(width, self.side)
        shown = torch.from_numpy(keep[:, rows][:, None, :, columns]).to(self.image.device)
        with torch.inference_mode():
            scores = self.score(torch.where(shown, self.image, self.baseline))
        return scores.double().cpu().numpy()

    @cached_property
    def _images_at_once(self) -> int:
        if self.chunk_size is not None:
            return self.chunk_size
        each = activation_bytes(self.score, self.image)
        return devices.chunk_size(each, self.image.device, limit=self.side**2)


def first_of(order: Order, counts: Sequence[int], side: int) -> Keep:
    """Return masks of the first cells in an order, one mask for each count, (n, side, side)."""
    rank = np.empty(order.size, dtype=np.int64)
    rank[order] = np.arange(order.size)
    return (rank < np.asarray(counts)[:, None]).reshape(-1, side, side)
