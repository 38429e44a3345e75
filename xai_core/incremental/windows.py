"""The sliding windows of Occlusion, and what they add up to."""

import math
import operator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xai_core.errors import WindowError

Extent = int | tuple[int, int]
"""Pixels: one number for both axes, or (height, width)."""


@dataclass(frozen=True)
class AxisWindows:
    """Windows along one axis; the last may hang over the edge and is cut there.

    Attributes:
        length_px: Length of the image.
        window_px: Length of a window.
        stride_px: From the start of one window to that of the next.
    """

    length_px: int
    window_px: int
    stride_px: int

    @property
    def starts(self) -> NDArray[np.int64]:
        """First pixel of each window, (n,)."""
        count = math.ceil((self.length_px - self.window_px) / self.stride_px) + 1
        return np.arange(count) * self.stride_px

    @property
    def coverage(self) -> NDArray[np.float64]:
        """1 where window j covers pixel i, (length_px, n)."""
        offset = np.arange(self.length_px)[:, None] - self.starts
        return ((offset >= 0) & (offset < self.window_px)).astype(np.float64)


@dataclass(frozen=True)
class Windows:
    """A grid of windows over an image, row by row."""

    rows: AxisWindows
    columns: AxisWindows

    @classmethod
    def over(cls, height: int, width: int, *, window: Extent, stride: Extent) -> "Windows":
        """Lay windows over a height x width image.

        Raises:
            WindowError: A window exceeds the image, a stride leaves gaps, or either is below 1.
        """
        window_hw, stride_hw = _pair("window", window), _pair("stride", stride)
        axes = []
        for name, length, size, step in zip(
            ("height", "width"), (height, width), window_hw, stride_hw, strict=True
        ):
            if size > length:
                raise WindowError(f"window {name} {size} px exceeds the image's {length} px")
            if step > size and size < length:
                raise WindowError(f"stride {step} px exceeds window {name} {size} px: gaps")
            axes.append(AxisWindows(length, size, step))
        return cls(*axes)

    def __len__(self) -> int:
        return len(self.rows.starts) * len(self.columns.starts)

    def rectangle(self, index: int) -> tuple[slice, slice]:
        """Return rows and columns that window `index` covers."""
        row, column = divmod(index, len(self.columns.starts))
        top, left = self.rows.starts[row], self.columns.starts[column]
        return (
            slice(int(top), int(top) + self.rows.window_px),
            slice(int(left), int(left) + self.columns.window_px),
        )

    def average(self, drops: NDArray[np.float64]) -> NDArray[np.float64]:
        """Spread each window's drop of the score over its pixels, averaged where windows overlap.

        Args:
            drops: F(image) - F(occluded image), one a window, (n,).

        Returns:
            The map, (height, width).
        """
        down, across = self.rows.coverage, self.columns.coverage
        totals = down @ drops.reshape(down.shape[1], across.shape[1]) @ across.T
        covering = np.outer(down.sum(1), across.sum(1))
        mean: NDArray[np.float64] = totals / covering
        return mean


def _pair(name: str, extent: Extent) -> tuple[int, int]:
    allowed = "1 px or more, an integer or (height, width)"
    try:
        if isinstance(extent, tuple | list):
            height, width = (operator.index(value) for value in extent)
        else:
            height = width = operator.index(extent)
    except (TypeError, ValueError) as exc:
        raise WindowError(f"{name} is {extent!r}; allowed: {allowed}") from exc
    if min(height, width) < 1:
        raise WindowError(f"{name} is {extent!r}; allowed: {allowed}")
    return height, width
