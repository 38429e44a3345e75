"""Grey samples of a picture or a volume to pixels and their window.

Black and white are what the samples can be, or what whoever brings the file in says they are;
never what happens to be the least or the most in this one.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.deep import Samples
from imaging.errors import UnsupportedFormatError
from imaging.image import DecodedImage, Note, Of, Pixels, RangeFrom, Window

TOP = 0xFFFF
MOST_VALUE = 1e9
STATE = "state which values are black and white when importing it"


def checked_range(given: Sequence[float] | None) -> Window | None:
    """Return (black, white) as somebody stated them.

    Raises:
        UnsupportedFormatError: If they are not two finite numbers, the first the lesser.
    """
    if given is None:
        return None
    if len(given) != 2 or not -MOST_VALUE <= given[0] < given[1] <= MOST_VALUE:
        raise UnsupportedFormatError(
            f"black and white are {' and '.join(f'{edge:g}' for edge in given)}; allowed are two "
            "numbers, black the lesser"
        )
    return float(given[0]), float(given[1])


def levels_of(
    values: NDArray[Any],
    samples: Samples,
    notes: list[Note],
    grey_range: Window | None,
    *,
    source_format: str,
    sha256: str,
) -> DecodedImage:
    """Return (H, W) samples as an image.

    Args:
        values: The samples, upright.
        samples: What is known of them.
        notes: Told where the range is from.
        grey_range: (black, white) in sample values, if somebody says so.
        source_format: Of the file.
        sha256: Of the file.

    Raises:
        UnsupportedFormatError: If the samples need a range, and there is none.
    """
    is_plain = (samples.lowest, samples.highest) == (0, 0xFF)
    stated = None if is_plain else grey_range
    if samples.white_is_zero:
        notes.append(Note(Of.VALUES, "turned (white is zero): larger is brighter"))
    if samples.highest - samples.lowest > TOP or values.dtype.kind == "f":
        return _stepped(values, samples, notes, stated, source_format, sha256)
    lowest, highest, slope = samples.lowest, samples.highest, 1.0
    if samples.white_is_zero:
        slope, intercept = -1.0, float(highest)
    else:
        intercept = float(lowest)
    if stated is None and highest - lowest > 0xFF:
        _insist_used(values, lowest, highest)
    low, high = stated or (float(lowest), float(highest))
    window = sorted((edge - intercept) / slope + 0.0 for edge in (low, high))  # no -0
    if not is_plain:
        notes.append(_range_note(lowest, highest, stated))
    _note_constant(values, notes)
    width = highest - lowest
    return DecodedImage(
        pixels=from_darkest(values, lowest, highest, turned=samples.white_is_zero),
        window=(window[0], window[1]),
        source_format=source_format,
        source_sha256=sha256,
        bits=max(8, width.bit_length()),
        rescale=(slope, intercept),
        range_from=_whose(stated, is_plain),
    )


def from_darkest(values: NDArray[Any], lowest: int, highest: int, *, turned: bool) -> Pixels:
    """Return whole numbers counted from the darkest that can be: the lowest, or turned the highest.

    Args:
        values: (H, W) of up to 16 bits.
        lowest: The least that a value can be.
        highest: The most; at most 65,535 more.
        turned: Whether larger is darker.
    """
    kind = np.uint8 if highest - lowest <= 0xFF else np.uint16
    if turned:
        moved = np.subtract(highest, values, dtype=np.int32)
    else:
        moved = values if lowest == 0 else np.subtract(values, lowest, dtype=np.int32)
    pixels: Pixels = moved.astype(kind)
    return pixels


def _stepped(
    values: NDArray[Any],
    samples: Samples,
    notes: list[Note],
    stated: Window | None,
    source_format: str,
    sha256: str,
) -> DecodedImage:
    """Return numbers that do not fit 16 bits, in 65,536 steps from black to white."""
    is_real = values.dtype.kind == "f"
    if is_real and not np.isfinite(values).all():
        raise UnsupportedFormatError("the image has values that are no finite numbers")
    lowest, highest = float(values.min()), float(values.max())
    if stated is None and not (is_real and lowest >= 0 and highest <= 1):
        kind = "floating-point" if is_real else f"{8 * values.dtype.itemsize}-bit"
        raise UnsupportedFormatError(
            f"the image has {kind} values from {lowest:g} to {highest:g}: {STATE}"
        )
    low, high = stated or (0.0, 1.0)
    steps = np.rint((values.astype(np.float64) - low) / (high - low) * TOP)
    pixels = np.clip(steps, 0, TOP).astype(np.uint16)
    slope, intercept = (high - low) / TOP, low
    if samples.white_is_zero:
        pixels, slope, intercept = TOP - pixels, -slope, high
    notes.append(Note(Of.VALUES, f"kept in 65,536 steps from {low:g} to {high:g}"))
    if lowest < low or highest > high:
        notes.append(Note(Of.VALUES, "values outside that range are cut off"))
    _note_constant(values, notes)
    return DecodedImage(
        pixels=pixels,
        window=(0.0, float(TOP)),
        source_format=source_format,
        source_sha256=sha256,
        bits=16,
        rescale=(slope, intercept),
        range_from=_whose(stated, is_plain=False),
    )


def _whose(stated: Window | None, is_plain: bool) -> RangeFrom:
    if is_plain:
        return RangeFrom.FILE
    return RangeFrom.CONTAINER if stated is None else RangeFrom.IMPORTER


def _range_note(lowest: int, highest: int, stated: Window | None) -> Note:
    if stated is not None:
        return Note(
            Of.RANGE, f"{stated[0]:g} is black and {stated[1]:g} white, as stated on import"
        )
    words = f"{lowest:,} is black and {highest:,} white: all that its samples can be"
    return Note(Of.RANGE, words)


def _insist_used(values: NDArray[Any], lowest: int, highest: int) -> None:
    """Refuse what uses a few of its bits and does not say so: shown as it is it would be all dark.

    That depends on the picture's own values, but only whether it is taken in does, never how it
    looks. A picture of one value is told to be that instead.
    """
    least, most = int(values.min()), int(values.max())
    if 0 < most - least < (highest - lowest) / 4:
        raise UnsupportedFormatError(
            f"its samples could be {lowest:,} to {highest:,} and are {least:,} to {most:,}, and "
            f"nothing says which values are black and white: {STATE}"
        )


def _note_constant(values: NDArray[Any], notes: list[Note]) -> None:
    if (values == values.flat[0]).all():
        notes.append(Note(Of.UNFIT, "every pixel has the same value: there is nothing to see"))
