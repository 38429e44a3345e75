"""Rows of bold type: glyph-like marks in one ink that is much brighter, or darker, than all around.

Machines write in one ink on a straight line; anatomy rarely puts four such marks in a row.
"""

from collections.abc import Iterator

import numpy as np
from scipy import ndimage

from imaging.text_rows import (
    LARGEST_GLYPH_PX,
    LEAST_GLYPHS,
    MOST_INK_SPREAD,
    NO_MARKS,
    Box,
    Level,
    Marks,
    boxes_of_rows,
    largest,
)

MOST_SIDE_PX = 1600  # larger images are looked at smaller
NEIGHBOURHOOD_PX = 41
INKS = (190, 150)  # of 255, at least: bold letters touch at a low one, thin ones fade at a high one
LEAST_STEP = 40  # of 255: above the mean around it
MOST_INK = 0.25  # share of the picture: more is noise, or a pattern
LEAST_CONTRAST = 90  # of 255: between ink and the ground that its box shows
LEAST_GLYPH_PX = 5
LEAST_FILL = 0.12
MOST_MARKS = 3000  # noise, or a pattern
ALIGNED = 0.14  # in heights, from the line that most glyphs stand on
LEAST_ALIGNED_SHARE = 0.75
MOST_STROKE = 0.28  # in sizes, half a stroke's width
LEAST_VARIETY = 0.05  # of areas: the ticks of a ruler are all alike


def bold_text(level: Level) -> Iterator[Box]:
    """Yield where rows of bold letters stand; some more than once.

    Args:
        level: (H, W) levels of 0 to 255.
    """
    step = max(1, -(-max(level.shape) // MOST_SIDE_PX))
    for bright in (largest(level, step), largest(255 - level, step)):
        for least in INKS:
            for x, y, width, height in boxes_of_rows(_marks(bright, least), _is_text):
                yield x * step, y * step, width * step, height * step


def _marks(level: Level, least: int) -> Marks:
    """Return the marks of at least a level that are as large as glyphs and made of strokes."""
    around = ndimage.uniform_filter(level, NEIGHBOURHOOD_PX)
    ink = (level >= least) & (np.maximum(level, around) - around >= LEAST_STEP)
    if ink.mean() > MOST_INK:
        return NO_MARKS
    labels, n = ndimage.label(ink, np.ones((3, 3)))
    areas = np.bincount(labels.ravel(), minlength=n + 1)
    found: list[tuple[float, ...]] = []
    for number, (rows, columns) in enumerate(ndimage.find_objects(labels), 1):
        height, width = rows.stop - rows.start, columns.stop - columns.start
        size, area = max(height, width), areas[number]

        if not LEAST_GLYPH_PX <= size <= LARGEST_GLYPH_PX or area < LEAST_FILL * height * width:
            continue
        top, left = max(rows.start - 2, 0), max(columns.start - 2, 0)
        shown = level[top : rows.stop + 2, left : columns.stop + 2]
        brightest = level[rows, columns].max()
        mark = np.pad(labels[rows, columns] == number, 1)
        stroke = ndimage.distance_transform_cdt(mark, "chessboard").max()
        if brightest - np.percentile(shown, 15) < LEAST_CONTRAST or stroke > MOST_STROKE * size:
            continue
        found.append((columns.start, rows.start, width, height, area, brightest))
    if not 0 < len(found) <= MOST_MARKS:
        return NO_MARKS
    return Marks(*np.array(found, dtype=np.int64).T)


def _is_text(row: Marks) -> bool:
    """Return whether marks beside each other stand on a line, in one ink, and differ in shape."""
    off = row.off_line()
    n_aligned = int((off <= max(1.0, ALIGNED * float(np.median(row.height)))).sum())
    return bool(
        n_aligned >= max(LEAST_GLYPHS, LEAST_ALIGNED_SHARE * len(row.x))
        and row.ink.std() <= MOST_INK_SPREAD
        and row.area.std() >= LEAST_VARIETY * row.area.mean()
    )
