"""Marks of ink, and rows of them that stand beside each other as letters on a line do."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Box = tuple[int, int, int, int]  # x, y, width, height in image pixels
Level = NDArray[np.uint8]

LARGEST_GLYPH_PX = 72
MOST_ASPECT = 2.2
LEAST_GLYPHS = 4
MOST_GAP = 1.3  # in heights, between one glyph and the next
MOST_HEIGHT_RATIO = 1.6
MOST_INK_SPREAD = 14  # of 255: standard deviation of the ink from glyph to glyph
MOST_SLOPE = 0.1  # of a line: paper on a scanner lies a little askew


@dataclass(frozen=True)
class Marks:
    """Marks that could be glyphs, an array element each; x and y are those of the upper left."""

    x: NDArray[np.int64]
    y: NDArray[np.int64]
    width: NDArray[np.int64]
    height: NDArray[np.int64]
    area: NDArray[np.int64]
    ink: NDArray[np.int64]

    def of(self, chosen: NDArray[np.int64]) -> "Marks":
        """Return some of them."""
        return Marks(*(column[chosen] for column in vars(self).values()))

    def off_line(self) -> NDArray[np.float64]:
        """Return how far the foot of each is from the line that most stand on, in pixels."""
        feet = self.y + self.height
        slope = np.clip(np.polyfit(self.x, feet, 1)[0], -MOST_SLOPE, MOST_SLOPE)
        off = feet - slope * self.x
        away: NDArray[np.float64] = np.abs(off - np.median(off))
        return away

    def turned(self) -> "Marks":
        """Return them as they are in the transposed picture."""
        return Marks(self.y, self.x, self.height, self.width, self.area, self.ink)


NO_MARKS = Marks(*np.empty((6, 0), dtype=np.int64))


def boxes_of_rows(marks: Marks, is_text: Callable[[Marks], bool]) -> Iterator[Box]:
    """Yield the boxes of the rows that are text, upright or turned by 90°."""
    for row in _rows(marks):
        if is_text(row):
            yield _box(row)
    for row in _rows(marks.turned()):
        if is_text(row):
            y, x, height, width = _box(row)
            yield x, y, width, height


def largest(level: Level, step: int) -> Level:
    """Return the largest level of each block, which keeps thin strokes whole."""
    if step == 1:
        return level
    rows, columns = (size // step * step for size in level.shape)
    by_row = reduce(np.maximum, (level[first:rows:step] for first in range(step)))
    return reduce(np.maximum, (by_row[:, first:columns:step] for first in range(step)))


def _rows(marks: Marks) -> Iterator[Marks]:
    """Yield marks that stand beside each other, from left to right, where they are enough."""
    glyphs = marks.of(np.flatnonzero(marks.width <= MOST_ASPECT * marks.height))
    if len(glyphs.x) < LEAST_GLYPHS:
        return
    n_rows, row_of = connected_components(_neighbours(glyphs), directed=False)
    for number in range(n_rows):
        row = glyphs.of(np.flatnonzero(row_of == number))
        if len(row.x) >= LEAST_GLYPHS and np.ptp(row.x) > 0:
            yield row


def _neighbours(glyphs: Marks) -> coo_array:
    """Return which glyph stands beside which on one line."""
    by_x = np.argsort(glyphs.x, kind="stable")
    pairs = []
    for place, left in enumerate(by_x):
        right = by_x[place + 1 :]
        reach = glyphs.x[left] + glyphs.width[left] + MOST_GAP * LARGEST_GLYPH_PX
        right = right[: np.searchsorted(glyphs.x[right], reach)]
        pairs.append(np.stack([np.full_like(right, left), right]))
    left, right = np.concatenate(pairs, axis=1)
    tall = np.maximum(glyphs.height[left], glyphs.height[right])
    low = np.minimum(glyphs.height[left], glyphs.height[right])
    gap = glyphs.x[right] - glyphs.x[left] - glyphs.width[left]
    bottoms = glyphs.y + glyphs.height
    beside = (
        (gap <= MOST_GAP * tall)
        & (gap >= -0.3 * tall)
        & (tall <= MOST_HEIGHT_RATIO * low)
        & (np.abs(bottoms[left] - bottoms[right]) <= 0.35 * tall)
        & (np.abs(glyphs.ink[left] - glyphs.ink[right]) <= 3 * MOST_INK_SPREAD)
    )
    edges = (np.ones(int(beside.sum())), (left[beside], right[beside]))
    return coo_array(edges, shape=(len(glyphs.x),) * 2)


def _box(row: Marks) -> Box:
    left, top = row.x.min(), row.y.min()
    right, bottom = (row.x + row.width).max(), (row.y + row.height).max()
    return int(left), int(top), int(right - left), int(bottom - top)


def around(one: Box, other: Box) -> Box:
    """Return the smallest box that holds two."""
    (x, y, width, height), (u, v, across, down) = one, other
    left, top = min(x, u), min(y, v)
    return left, top, max(x + width, u + across) - left, max(y + height, v + down) - top


def overlap(one: Box, other: Box) -> bool:
    """Return whether two boxes share a pixel."""
    (x, y, width, height), (u, v, across, down) = one, other
    return x < u + across and u < x + width and y < v + down and v < y + height
