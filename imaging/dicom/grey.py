"""Stored grey values to pixels and how they are shown (PS3.3, C.7.6.3, C.7.5.1.1.2 and C.11).

Pixels are the stored values, moved so that the lowest possible one is 0, and turned where larger
would be darker. All that is decided goes by what the data set says of its values, and nothing by
the values themselves: one pixel more or less changes no other.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import zip_longest
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.multival import MultiValue

from imaging.dicom.tables import Table, table_of
from imaging.errors import CorruptImageError
from imaging.image import PLAIN, Curve, Note, Of, Pixels, RangeFrom, Shading, Window
from imaging.levels import from_darkest

MOST_PHYSICAL = 1e7  # a larger slope, intercept or window edge is a mistake, or not a number
MOST_WINDOWS = 10
HOUNSFIELD = (-1024.0, 3071.0)  # what 12 bits of CT hold, in the unit that its values have


@dataclass(frozen=True)
class Grey:
    """Pixels and how they are shown; the attributes are those of `imaging.image.DecodedImage`."""

    pixels: Pixels
    window: Window
    rescale: tuple[float, float] = (1.0, 0.0)
    bits: int = 8
    windows: tuple[Window, ...] = ()
    shading: Shading = PLAIN
    range_from: RangeFrom = RangeFrom.FILE


@dataclass(frozen=True)
class _Scale:
    """Values as they can be, and the line from them to physical ones."""

    lowest: int
    highest: int
    slope: float = 1.0
    intercept: float = 0.0
    turned: bool = False

    @property
    def range(self) -> Window:
        """Of the physical values."""
        ends = (self.slope * end + self.intercept for end in (self.lowest, self.highest))
        low, high = sorted(ends)
        return low, high

    def pixels(self, values: NDArray[Any]) -> Pixels:
        """Return values counted from the darkest that can be."""
        return from_darkest(values, self.lowest, self.highest, turned=self.turned)

    @property
    def rescale(self) -> tuple[float, float]:
        """Slope and intercept from pixels to physical values."""
        if self.turned:
            return -self.slope, self.intercept + self.slope * self.highest
        return self.slope, self.intercept + self.slope * self.lowest

    def window(self, physical: Window) -> Window:
        """Return a window in pixel values."""
        slope, intercept = self.rescale
        low, high = sorted((edge - intercept) / slope + 0.0 for edge in physical)  # no -0
        if low == high:  # a step: all above is white (PS3.3, C.11.2.1.2.1, width 1)
            low = float(np.floor(low))
            high = low + 1
        return low, high


def grey_of(
    dataset: Dataset, stored: NDArray[Any], notes: list[Note], *, grey_range: Window | None
) -> Grey:
    """Return what is shown of stored values, (H, W) integers.

    Args:
        dataset: What describes them.
        stored: Of one frame.
        notes: Told what was done.
        grey_range: (black, white) in physical values, where the data set says nothing.
    """
    values, scale, is_table = _modality(dataset, stored, notes)
    is_mono1 = dataset.get("PhotometricInterpretation") == "MONOCHROME1"
    windows = list(_windows(dataset))
    curve = Curve.LINEAR
    if windows:
        range_from = RangeFrom.FILE
        if _function(dataset) == "SIGMOID":
            curve = Curve.SIGMOID
    elif voi := _table(dataset, "VOILUTSequence", is_signed=scale.range[0] < 0):
        values = voi(values * scale.slope + scale.intercept)
        scale, is_table, range_from = _Scale(0, (1 << voi.bits) - 1), True, RangeFrom.TABLE
        notes.append(Note(Of.RANGE, "the file's VOI table applied"))
    else:
        windows, range_from = [_stand_in(dataset, scale, grey_range, notes)], _whose(grey_range)
    scale = replace(scale, turned=is_mono1 != (scale.slope < 0))
    if scale.turned:
        why = "MONOCHROME1" if is_mono1 else "its rescale slope is negative"
        notes.append(Note(Of.VALUES, f"turned ({why}): larger is brighter"))
    in_pixels = tuple(scale.window(window) for window in windows or [scale.range])
    grey = Grey(
        scale.pixels(values),
        window=in_pixels[0],
        rescale=scale.rescale,
        bits=max(8, (scale.highest - scale.lowest).bit_length()),
        windows=in_pixels,
        shading=Shading(curve),
        range_from=range_from,
    )
    if (stored == stored.flat[0]).all():
        notes.append(Note(Of.UNFIT, "every pixel has the same value: there is nothing to see"))
        return grey
    return _padded(grey, scale, dataset, stored, is_table, notes)


def _modality(
    dataset: Dataset, stored: NDArray[Any], notes: list[Note]
) -> tuple[NDArray[Any], _Scale, bool]:
    """Return the values to keep, their scale, and whether a table made them (PS3.3, C.11.1)."""
    bits = int(dataset.get("BitsStored") or 0) or 8 * stored.dtype.itemsize
    is_signed = stored.dtype.kind == "i"
    if table := _table(dataset, "ModalityLUTSequence", is_signed=is_signed):
        notes.append(Note(Of.VALUES, "the file's modality table applied"))
        return table(stored), _Scale(0, (1 << table.bits) - 1), True
    slope, intercept = _number(dataset, "RescaleSlope"), _number(dataset, "RescaleIntercept")
    if slope == 0:
        notes.append(Note(Of.VALUES, "the file's rescale slope is 0: not applied"))
        slope = intercept = None
    slope, intercept = 1.0 if slope is None else slope, intercept or 0.0
    if not (abs(slope) <= MOST_PHYSICAL and abs(intercept) <= MOST_PHYSICAL):
        raise CorruptImageError("the DICOM file's rescale values are not sound numbers")
    half = 1 << (bits - 1)
    lowest, highest = (-half, half - 1) if is_signed else (0, (1 << bits) - 1)
    return stored, _Scale(lowest, highest, slope, intercept), False


def _windows(dataset: Dataset) -> Iterator[Window]:
    """Yield (low, high) in physical values of each sound window (PS3.3, C.11.2.1.2 and .3)."""
    given = zip_longest(_numbers(dataset, "WindowCenter"), _numbers(dataset, "WindowWidth"))
    is_linear = _function(dataset) == "LINEAR"
    for centre, width in list(given)[:MOST_WINDOWS]:
        if centre is None or width is None or not 0 < width <= MOST_PHYSICAL:
            continue
        if not abs(centre) <= MOST_PHYSICAL:
            continue
        # A linear window is at least 1 wide; narrower ones are meant exactly.
        if is_linear and width >= 1:
            yield centre - 0.5 - (width - 1) / 2, centre - 0.5 + (width - 1) / 2
        else:
            yield centre - width / 2, centre + width / 2


def _function(dataset: Dataset) -> str:
    return str(dataset.get("VOILUTFunction") or "LINEAR").strip().upper()


def _stand_in(
    dataset: Dataset, scale: _Scale, grey_range: Window | None, notes: list[Note]
) -> Window:
    """Return the window of a file that has none."""
    if grey_range is not None:
        low, high = grey_range
        notes.append(
            Note(Of.RANGE, f"no window in the file: {low:g} to {high:g}, as stated on import")
        )
        return grey_range
    if str(dataset.get("Modality", "")) == "CT" and scale.range[1] - scale.range[0] > 4095:
        low, high = HOUNSFIELD
        notes.append(Note(Of.RANGE, f"no window in the file: {low:g} to {high:g} HU are shown"))
        return HOUNSFIELD
    low, high = scale.range
    notes.append(
        Note(Of.RANGE, f"no window in the file: all that it can hold is shown, {low:g} to {high:g}")
    )
    return scale.range


def _whose(grey_range: Window | None) -> RangeFrom:
    return RangeFrom.CONTAINER if grey_range is None else RangeFrom.IMPORTER


def _padded(
    grey: Grey,
    scale: _Scale,
    dataset: Dataset,
    stored: NDArray[Any],
    is_table: bool,
    notes: list[Note],
) -> Grey:
    """Return the grey with its padding marked; no stored value is changed."""
    limits = _padding(dataset, stored)
    if limits is None:
        return grey
    low, high = limits
    mask = (stored >= low) & (stored <= high)
    if not mask.any() or mask.all():
        return grey
    notes.append(Note(Of.VALUES, "padding is shown black, whatever the window"))
    if not is_table:
        ends = np.clip([low, high], scale.lowest, scale.highest)
        first, last = sorted(int(value) for value in scale.pixels(ends))
        shading = replace(grey.shading, padding=(first, last))
        return replace(grey, shading=shading)
    # A table may have given other values the same grey: padding gets one of its own, below all.
    slope, intercept = grey.rescale
    above = np.minimum(grey.pixels.astype(np.uint16), 0xFFFE) + np.uint16(1)
    moved = tuple((low + 1, high + 1) for low, high in grey.windows)
    return replace(
        grey,
        pixels=np.where(mask, np.uint16(0), above),
        window=moved[0],
        windows=moved,
        bits=min(16, grey.bits + 1),
        rescale=(slope, intercept - slope),
        shading=replace(grey.shading, padding=(0, 0)),
    )


def _padding(dataset: Dataset, stored: NDArray[Any]) -> tuple[int, int] | None:
    """Return the (lowest, highest) stored value that is padding, if any is."""
    value, limit = (
        _number(dataset, key) for key in ("PixelPaddingValue", "PixelPaddingRangeLimit")
    )
    if value is None:
        return None
    is_signed = stored.dtype.kind == "i"
    ends = [int(end) for end in (value, value if limit is None else limit)]
    low, high = sorted(end - (1 << 16) if is_signed and end >= 1 << 15 else end for end in ends)
    return low, high


def _table(dataset: Dataset, keyword: str, *, is_signed: bool) -> Table | None:
    items = dataset.get(keyword)
    return table_of(items[0], is_signed=is_signed) if items else None


def _number(dataset: Dataset, keyword: str) -> float | None:
    return next(iter(_numbers(dataset, keyword)), None)


def _numbers(dataset: Dataset, keyword: str) -> list[float]:
    """Return the finite numbers of an attribute."""
    value = dataset.get(keyword)
    if value is None or value == "":
        return []
    several = value if isinstance(value, list | MultiValue) else [value]
    return [number for number in map(float, several) if isfinite(number)]
