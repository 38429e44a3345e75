"""Colour of any depth to 8-bit RGB."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.image import Note, Of, Pixels


def eight_bits(colour: NDArray[Any], bits: int, notes: list[Note]) -> Pixels:
    """Return (H, W, 3) colour of some bits a channel with 8, rounded."""
    if bits == 8:
        return np.ascontiguousarray(colour.astype(np.uint8))
    if bits > 8:
        notes.append(Note(Of.VALUES, f"{bits}-bit colour reduced to 8 bits"))
    top = (1 << bits) - 1
    spread = (colour.astype(np.uint64) * 255 + top // 2) // top
    return np.ascontiguousarray(np.minimum(spread, 255).astype(np.uint8))
