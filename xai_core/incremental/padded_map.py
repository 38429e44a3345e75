"""A map with margins, and what of it lies under rectangles that may reach over its ends."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from xai_core.incremental.span import Span


class PaddedMap:
    """One map, (1, ...), and views of what lies under grids of rectangles on it.

    Args:
        values: The map.
        axes: Which of its dimensions are the vertical and the horizontal one.
        outside: What lies beyond the ends of the map.
    """

    def __init__(self, values: Tensor, axes: tuple[int, int], *, outside: float = 0.0) -> None:
        self._values = values
        self._axes = axes
        self._outside = outside
        self._margins = [(0, 0), (0, 0)]  # before and after, along either axis
        self._padded = values

    def under(self, rows: Span, columns: Span) -> Tensor:
        """Return what lies under the rectangles, (n_rows, n_columns, ...); not to be written to.

        Where the rectangles lie evenly this is a view and costs nothing.
        """
        self._widen(rows, columns)
        padded, steps, first = self._padded, [], []
        for axis, span, (margin, _) in zip(self._axes, (rows, columns), self._margins, strict=True):
            if len(span.starts) == 1:  # less to copy, where the other axis is uneven
                padded = padded.narrow(axis, int(span.starts[0]) + margin, span.size)
        for axis, span, (margin, _) in zip(self._axes, (rows, columns), self._margins, strict=True):
            starts, step = span.starts + margin, span.step
            if len(starts) == 1:
                starts = starts * 0
            if step is None:
                padded = _select(padded, axis, (starts[:, None] + range(span.size)).ravel())
                starts, step = starts * 0, span.size
            steps.append(step)
            first.append(int(starts[0]))
        strides = [padded.stride(axis) for axis in self._axes]
        shape = list(padded.shape)
        for axis, span in zip(self._axes, (rows, columns), strict=True):
            shape[axis] = span.size
        return padded.as_strided(
            (len(rows.starts), len(columns.starts), *shape[1:]),
            (steps[0] * strides[0], steps[1] * strides[1], *padded.stride()[1:]),
            padded.storage_offset() + first[0] * strides[0] + first[1] * strides[1],
        )

    def _widen(self, rows: Span, columns: Span) -> None:
        """Make the margins wide enough: top, bottom, left, right."""
        wanted = [
            (max(before, -int(span.starts.min())), max(after, int(span.ends.max()) - span.length))
            for span, (before, after) in zip((rows, columns), self._margins, strict=True)
        ]
        if wanted == self._margins:
            return
        padding = [0, 0] * self._values.dim()
        for axis, margins in zip(self._axes, wanted, strict=True):
            last = 2 * (self._values.dim() - 1 - axis)
            padding[last : last + 2] = margins
        self._padded = F.pad(self._values, padding, value=self._outside)
        self._margins = wanted


def _select(padded: Tensor, axis: int, positions: NDArray[np.int64]) -> Tensor:
    """Return positions along one axis, in the same order in memory."""
    order = sorted(range(padded.dim()), key=padded.stride, reverse=True)
    index = torch.from_numpy(positions).to(padded.device)
    chosen = padded.permute(order).index_select(order.index(axis), index)
    return chosen.permute([order.index(dim) for dim in range(padded.dim())])
