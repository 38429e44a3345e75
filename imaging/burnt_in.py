"""Looking for text burnt into pixels: rows of glyph-like marks in one ink.

A heuristic that says where to look, not a reader of text. Machines write in one ink, brighter or
darker than all around, on a straight line; anatomy rarely puts four such marks in a row. What it
finds and misses is measured in docs/input-formats.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from imaging.image import DecodedImage, Pixels

Box = tuple[int, int, int, int]  # x, y, width, height in image pixels
Level = NDArray[np.uint8]

NOTE = "text may be burnt into the image: check it for names"
FOUND = "marks in a row that look like letters"
USUAL = frozenset({"US", "IVUS", "BDUS", "ES", "XC", "GM", "OT", "DG", "OP", "DOC"})
MOST_BOXES = 50

MOST_SIDE_PX = 1600  # larger images are looked at smaller
NEIGHBOURHOOD_PX = 41
INKS = (190, 150)  # of 255, at least: bold letters touch at a low one, thin ones fade at a high one
LEAST_STEP = 40  # of 255: above the mean around it
MOST_INK = 0.25  # share of the picture: more is noise, or a pattern
LEAST_CONTRAST = 90  # of 255: between ink and the ground that its box shows
MOST_INK_SPREAD = 14  # of 255: standard deviation of the ink from glyph to glyph
GLYPH_SIZE_PX = (5, 72)
MOST_ASPECT = 2.2
LEAST_FILL = 0.12
LEAST_GLYPHS = 4
MOST_MARKS = 3000  # noise, or a pattern
MOST_GAP = 1.3  # in heights, between one glyph and the next
MOST_HEIGHT_RATIO = 1.6
ALIGNED = 0.14  # in heights, from the line that most glyphs stand on
MOST_SLOPE = 0.1  # of a line: paper on a scanner lies a little askew
LEAST_ALIGNED_SHARE = 0.75
MOST_STROKE = 0.28  # in sizes, half a stroke's width
LEAST_VARIETY = 0.05  # of areas: the ticks of a ruler are all alike


@dataclass(frozen=True)
class _Marks:
    """Marks that could be glyphs, an array element each; x and y are those of the upper left."""

    x: NDArray[np.int64]
    y: NDArray[np.int64]
    width: NDArray[np.int64]
    height: NDArray[np.int64]
    area: NDArray[np.int64]
    ink: NDArray[np.int64]

    def of(self, chosen: NDArray[np.int64]) -> "_Marks":
        """Return some of them."""
        return _Marks(*(column[chosen] for column in vars(self).values()))

    def turned(self) -> "_Marks":
        """Return them as they are in the transposed picture."""
        return _Marks(self.y, self.x, self.height, self.width, self.area, self.ink)


_NO_MARKS = _Marks(*np.empty((6, 0), dtype=np.int64))


def checked(image: DecodedImage, said: Sequence[str] = ()) -> DecodedImage:
    """Return an image with what is known of text in its pixels, and a note if there may be some.

    Args:
        image: A decoded image.
        said: Why text is to be expected, whatever the pixels look like.
    """
    boxes = text_boxes(image.pixels, image.window)
    why = [*said, *([FOUND] if boxes else [])]
    known = {"suspected": bool(why), "why": why, "boxes": [list(b) for b in boxes[:MOST_BOXES]]}
    return replace(
        image,
        acquisition={**image.acquisition, "burnt_in_text": known},
        notes=(*image.notes, *([NOTE] if why else [])),
    )


def said_of_text(tag: object, *, modality: str | None, is_capture: bool) -> list[str]:
    """Return why text is to be expected by what a DICOM file says of itself.

    Args:
        tag: The value of BurnedInAnnotation (PS3.3, C.7.6.1.1), if there is one.
        modality: The modality, if it is known.
        is_capture: Whether it is a Secondary Capture: what a screen or a scanner showed.
    """
    answer = str(tag or "").strip().upper()
    if answer == "YES":
        return ["the file says so"]
    if answer != "NO" and (is_capture or modality in USUAL):
        return ["the file does not say, and such images often have text"]
    return []


def text_boxes(pixels: Pixels, window: tuple[float, float]) -> list[Box]:
    """Return where rows of text may stand, in any order; upright text and text turned by 90°.

    Args:
        pixels: (H, W) or (H, W, 3), as in `imaging.image.DecodedImage`.
        window: (low, high) in pixel values.
    """
    step = max(1, -(-max(pixels.shape[:2]) // MOST_SIDE_PX))
    level = _level(pixels, window)
    found: list[Box] = []
    for bright in (_largest(level, step), _largest(255 - level, step)):
        for least in INKS:
            marks = _marks(bright, least)
            turned = _rows_of_text(marks.turned())
            for box in (*_rows_of_text(marks), *((y, x, h, w) for x, y, w, h in turned)):
                if not any(_overlap(box, known) for known in found):
                    found.append(box)
    return [(x * step, y * step, w * step, h * step) for x, y, w, h in found]


def _level(pixels: Pixels, window: tuple[float, float]) -> Level:
    """Return (H, W) levels of 0 to 255 over the display window."""
    low, high = window
    values = np.arange(np.iinfo(pixels.dtype).max + 1)
    shown = np.clip((values - low) * (255 / max(high - low, 1e-6)), 0, 255).astype(np.uint8)
    level: Level = shown[pixels]
    if level.ndim == 3:
        red, green, blue = (level[..., channel].astype(np.uint16) for channel in range(3))
        level = ((77 * red + 150 * green + 29 * blue) >> 8).astype(np.uint8)  # BT.601
    return level


def _largest(level: Level, step: int) -> Level:
    """Return the largest level of each block, which keeps thin strokes whole."""
    rows, columns = (size // step * step for size in level.shape)
    by_row = reduce(np.maximum, (level[first:rows:step] for first in range(step)))
    return reduce(np.maximum, (by_row[:, first:columns:step] for first in range(step)))


def _marks(level: Level, least: int) -> _Marks:
    """Return the marks of at least a level that are as large as glyphs and made of strokes."""
    around = ndimage.uniform_filter(level, NEIGHBOURHOOD_PX)
    ink = (level >= least) & (np.maximum(level, around) - around >= LEAST_STEP)
    if ink.mean() > MOST_INK:
        return _NO_MARKS
    labels, n = ndimage.label(ink, np.ones((3, 3)))
    areas = np.bincount(labels.ravel(), minlength=n + 1)
    found: list[tuple[float, ...]] = []
    for number, (rows, columns) in enumerate(ndimage.find_objects(labels), 1):
        height, width = rows.stop - rows.start, columns.stop - columns.start
        size, area = max(height, width), areas[number]
        low, high = GLYPH_SIZE_PX
        if not low <= size <= high or area < LEAST_FILL * height * width:
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
        return _NO_MARKS
    return _Marks(*np.array(found, dtype=np.int64).T)


def _rows_of_text(marks: _Marks) -> list[Box]:
    """Return the boxes of rows of glyphs, from left to right."""
    glyphs = marks.of(np.flatnonzero(marks.width <= MOST_ASPECT * marks.height))
    if len(glyphs.x) < LEAST_GLYPHS:
        return []
    n_rows, row_of = connected_components(_neighbours(glyphs), directed=False)
    rows = (glyphs.of(np.flatnonzero(row_of == number)) for number in range(n_rows))
    return [_box(row) for row in rows if _is_text(row)]


def _neighbours(glyphs: _Marks) -> coo_array:
    """Return which glyph stands beside which on one line."""
    by_x = np.argsort(glyphs.x, kind="stable")
    pairs = []
    for place, left in enumerate(by_x):
        right = by_x[place + 1 :]
        reach = glyphs.x[left] + glyphs.width[left] + MOST_GAP * GLYPH_SIZE_PX[1]
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


def _is_text(row: _Marks) -> bool:
    """Return whether marks beside each other stand on a line, in one ink, and differ in shape."""
    if len(row.x) < LEAST_GLYPHS or np.ptp(row.x) == 0:
        return False
    bottoms = row.y + row.height
    slope = np.clip(np.polyfit(row.x, bottoms, 1)[0], -MOST_SLOPE, MOST_SLOPE)
    off = bottoms - slope * row.x
    off = np.abs(off - np.median(off))
    n_aligned = int((off <= max(1.0, ALIGNED * float(np.median(row.height)))).sum())
    return bool(
        n_aligned >= max(LEAST_GLYPHS, LEAST_ALIGNED_SHARE * len(row.x))
        and row.ink.std() <= MOST_INK_SPREAD
        and row.area.std() >= LEAST_VARIETY * row.area.mean()
    )


def _box(row: _Marks) -> Box:
    left, top = row.x.min(), row.y.min()
    right, bottom = (row.x + row.width).max(), (row.y + row.height).max()
    return int(left), int(top), int(right - left), int(bottom - top)


def _overlap(one: Box, other: Box) -> bool:
    (x, y, width, height), (u, v, across, down) = one, other
    return x < u + across and u < x + width and y < v + down and v < y + height
