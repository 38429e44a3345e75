"""Where patches lie along one axis of a feature map, and how layers widen them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_MOST = 0.8  # of a map


@dataclass(frozen=True)
class Kernel:
    """A sliding kernel along one axis."""

    size: int
    stride: int = 1
    padding: int = 0
    dilation: int = 1

    @property
    def extent(self) -> int:
        """Inputs from the first to the last that one output reads."""
        return (self.size - 1) * self.dilation + 1


@dataclass(frozen=True)
class Span:
    """Equally wide intervals, one a window, along one axis of a map.

    Attributes:
        starts: First position of each interval, (n,).
        size: Positions in each interval.
        length: Positions of the map.
    """

    starts: NDArray[np.int64]
    size: int
    length: int

    @classmethod
    def within(cls, starts: NDArray[np.int64], ends: NDArray[np.int64], length: int) -> "Span":
        """Return the narrowest intervals on the map that hold what of [start, end) lies on it.

        They hold one position at least: strides may skip all of [start, end).
        """
        size = max(1, int((np.minimum(ends, length) - np.maximum(starts, 0)).max()))
        return cls(np.clip(starts, 0, length - size), size, length)

    @classmethod
    def full(cls, count: int, length: int) -> "Span":
        """Return `count` intervals that all are the whole map."""
        return cls(np.zeros(count, np.int64), length, length)

    def of(self, windows: slice) -> "Span":
        """Return the intervals of some of the windows."""
        return Span(self.starts[windows], self.size, self.length)

    @property
    def ends(self) -> NDArray[np.int64]:
        """One past the last position of each interval, (n,)."""
        return self.starts + self.size

    @property
    def step(self) -> int | None:
        """The distance from each interval to the next, or None where it varies."""
        steps = np.diff(self.starts)
        if len(steps) == 0:
            return 0
        return int(steps[0]) if (steps == steps[0]).all() else None

    def offset(self, inner: "Span") -> int | None:
        """Return how far after these intervals those of `inner` begin, or None where it varies."""
        offsets = inner.starts - self.starts
        return int(offsets[0]) if (offsets == offsets[0]).all() else None

    def reached(self, kernel: Kernel, length: int) -> "Span":
        """Return the outputs, on a map of `length`, that read anything from these intervals."""
        first = -((kernel.extent - 1 - kernel.padding - self.starts) // kernel.stride)
        last = (self.ends - 1 + kernel.padding) // kernel.stride
        return Span.within(first, last + 1, length)

    def read_by(self, kernel: Kernel, length: int) -> "Span":
        """Return the inputs, on a map of `length`, that these outputs read.

        They may reach into the padding, over the ends of the map.
        """
        size = (self.size - 1) * kernel.stride + kernel.extent
        return Span(self.starts * kernel.stride - kernel.padding, size, length)

    def union(self, other: "Span") -> "Span":
        """Return intervals that hold both."""
        starts, ends = np.minimum(self.starts, other.starts), np.maximum(self.ends, other.ends)
        return Span.within(starts, ends, self.length)


def dense_pays(rows: Span, columns: Span) -> bool:
    """Whether rectangles hold so much of a map that dense maps of b + d cost no more."""
    return rows.size * columns.size >= _MOST * rows.length * columns.length
