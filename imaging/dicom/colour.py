"""Colour of a data set to 8-bit RGB."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from imaging.colour import eight_bits
from imaging.dicom.tables import palette_of
from imaging.image import Note, Of, Pixels


def colour_of(dataset: Dataset, stored: NDArray[Any], notes: list[Note]) -> Pixels:
    """Return (H, W, 3) uint8 of stored RGB, or of indices into a palette."""
    bits = int(dataset.get("BitsStored") or 8 * stored.dtype.itemsize)
    if stored.ndim == 2:
        palette = palette_of(dataset, is_signed=bool(int(dataset.get("PixelRepresentation") or 0)))
        stored, bits = palette(stored), _bits_in(palette.entries, palette.bits)
        notes.append(Note(Of.VALUES, "palette colours applied"))
    return eight_bits(stored[..., :3], bits, notes)


def _bits_in(entries: NDArray[np.uint16], bits: int) -> int:
    """Return 8 where a palette says 16 and holds 8-bit entries, as some writers do."""
    return 8 if bits > 8 and int(entries.max()) < 1 << 8 else bits
