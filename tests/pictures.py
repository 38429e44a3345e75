"""Image files for tests."""

import io

import numpy as np
from PIL import Image


def png(seed: int = 0, *, height: int = 40, width: int = 48) -> bytes:
    """Return a grey PNG of noise, another one for each seed."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()
