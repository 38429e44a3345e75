"""Rows of small or grey type: thin strokes of any level, as sharp at their edges as print is.

What is left of a picture once everything wider than a stroke is levelled (a top-hat: Serra, Image
Analysis and Mathematical Morphology, 1982) is next to nothing in a film, whose edges are blurred by
nature, and nearly all of a printed letter. So this can be far more sensitive than
`imaging.bold_text`, which goes by the level of the ink.
"""

from collections.abc import Callable, Iterator
from functools import reduce
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from imaging.text_rows import NO_MARKS, Box, Level, Marks, boxes_of_rows, largest

STROKE_PX = 5  # thinner than this is a stroke
SCALES = (1, 2, 4)  # what has thicker strokes is looked at smaller
LEAST_SIDE_PX = 40  # of a picture that is looked at smaller
LEAST_STEP = 30  # of 255: of a stroke over the ground on both sides
# Of the sharpest step around: letters that touch come apart at a high share, thin ones at a low.
SHARES = (0.0, 0.4, 0.6)
MOST_INK = 0.06  # share of the picture: more is noise, or a pattern
MOST_MARKS = 3000
LEAST_SIZE_PX = {1: 4, 2: 7, 4: 7}  # by scale: what is smaller was looked at larger
MOST_SIZE_PX = 40
LEAST_FILL = 0.12
FULL_INK = 0.8  # quantile of a mark's steps that stands for its ink: edges are fainter
# Of a row of so many letters, or more: how far the ink may spread, in its own mean.
MOST_SPREAD = {4: 0.10, 5: 0.15}
# And how many are as high as each other, as capitals or small letters are.
LEAST_AS_HIGH = {4: 1.0, 5: 0.65}
LEAST_ALIGNED_SHARE = 0.75
ALIGNED = 0.1  # in heights, from the line that most letters stand on
AS_HIGH = 0.08  # in heights
LEAST_VARIETY = 0.05  # of areas: the ticks of a ruler are all alike

Pick = Callable[[Level, Level], Level]


def fine_text(level: Level) -> Iterator[Box]:
    """Yield where rows of letters in thin strokes stand, bright or dark; some more than once.

    Args:
        level: (H, W) levels of 0 to 255.
    """
    for scale, ground in product(SCALES, (level, 255 - level)):
        if scale > 1 and min(ground.shape) < scale * LEAST_SIDE_PX:
            continue
        steps = _hat(largest(ground, scale))
        around = _widest(_widest(steps, np.maximum), np.maximum)
        for share in SHARES:
            ink = (steps >= LEAST_STEP) & (steps >= (around * share).astype(np.uint8))
            marks = _marks(steps, ink, LEAST_SIZE_PX[scale])
            for x, y, width, height in boxes_of_rows(marks, _is_text):
                yield x * scale, y * scale, width * scale, height * scale


def _hat(level: Level) -> Level:
    """Return by how much each pixel is brighter than all that is as wide as a stroke is not."""
    return level - _widest(_widest(level, np.minimum), np.maximum)


def _widest(level: Level, pick: Pick) -> Level:
    """Return the largest or smallest level in the square around each pixel."""
    half = STROKE_PX // 2
    for _ in range(2):
        wide = np.pad(level, ((half, half), (0, 0)), mode="edge")
        rows = len(level)
        level = reduce(pick, (wide[first : first + rows] for first in range(STROKE_PX))).T
    return level


def _marks(steps: Level, ink: NDArray[np.bool_], least_size_px: int) -> Marks:
    """Return the marks that are as large as letters."""
    rows, columns = np.nonzero(ink)
    if not 0 < len(rows) <= MOST_INK * ink.size:
        return NO_MARKS
    n_marks, of = _connected(rows * (ink.shape[1] + 1) + columns, ink.shape[1] + 1)
    strength = steps[rows, columns]
    order = np.lexsort((strength, of))
    ends = np.cumsum(np.bincount(of, minlength=n_marks))
    areas = np.diff(ends, prepend=0)
    full = strength[order][ends - areas + (FULL_INK * (areas - 1)).astype(np.int64)]
    firsts, n = ends - areas, np.int64(1)
    top, bottom = (pick.reduceat(rows[order], firsts) for pick in (np.minimum, np.maximum))
    left, right = (pick.reduceat(columns[order], firsts) for pick in (np.minimum, np.maximum))
    width, height = right - left + n, bottom - top + n
    size = np.maximum(width, height)
    fits = (least_size_px <= size) & (size <= MOST_SIZE_PX) & (areas >= LEAST_FILL * width * height)
    if fits.sum() > MOST_MARKS:
        return NO_MARKS
    return Marks(left, top, width, height, areas, full.astype(np.int64)).of(np.flatnonzero(fits))


def _connected(places: NDArray[np.int64], stride: int) -> tuple[int, NDArray[np.int32]]:
    """Return how many marks some pixels make, and the mark of each; they are sorted and few.

    Args:
        places: Row times stride plus column; a stride holds one column that is always empty.
        stride: Pixels from one row to the next.
    """
    pairs = []
    for reach in (1, stride - 1, stride, stride + 1):
        there = np.searchsorted(places, places + reach)
        beside = np.flatnonzero(there < len(places))
        beside = beside[places[there[beside]] == places[beside] + reach]
        pairs.append(np.stack([beside, there[beside]]))
    one, other = np.concatenate(pairs, axis=1)
    edges = (np.ones(len(one), dtype=np.int8), (one, other))
    joined = coo_array(edges, shape=(len(places),) * 2)
    n_marks, of = connected_components(joined, directed=False)
    return n_marks, of


def _is_text(row: Marks) -> bool:
    """Return whether marks beside each other are alike as letters in print are."""
    n_marks, heights = len(row.x), row.height.astype(np.float64)
    kind = min(n_marks, max(MOST_SPREAD))
    aligned = row.off_line() <= np.maximum(1.0, ALIGNED * float(np.median(heights)))
    as_high = [np.abs(heights - h) <= max(1.0, AS_HIGH * h) for h in heights]
    return bool(
        aligned.sum() >= max(min(MOST_SPREAD), LEAST_ALIGNED_SHARE * n_marks)
        and max(like.mean() for like in as_high) >= LEAST_AS_HIGH[kind]
        and row.ink.std() <= MOST_SPREAD[kind] * row.ink.mean()
        and row.area.std() >= LEAST_VARIETY * row.area.mean()
    )
