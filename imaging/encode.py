"""Pixels to PNG and back without loss, and to what a model or a thumbnail shows."""

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imaging.image import Pixels


def to_png(pixels: Pixels) -> bytes:
    """Return a lossless PNG of (H, W) uint8 or uint16, or (H, W, 3) uint8."""
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=3)
    return buffer.getvalue()


def from_png(data: bytes) -> Pixels:
    """Return the pixels that `to_png` wrote, of the same type and shape."""
    with Image.open(BytesIO(data)) as image:
        array = np.asarray(image)
    return array.astype(np.uint16) if array.dtype != np.uint8 else array


def to_unit(pixels: Pixels, window: tuple[float, float]) -> NDArray[np.float32]:
    """Scale the window to [0, 1] and clip; the shape stays."""
    low, high = window
    scaled = (pixels.astype(np.float32) - low) / max(high - low, 1e-6)
    return np.clip(scaled, 0, 1, out=scaled)


def thumbnail_png(pixels: Pixels, window: tuple[float, float], side_px: int = 128) -> bytes:
    """Return a small 8-bit PNG of the windowed image, its longer side `side_px`."""
    step = max(1, max(pixels.shape[:2]) // (4 * side_px))  # bounds the work on huge images
    unit = to_unit(pixels[::step, ::step], window)
    image = Image.fromarray(np.rint(unit * 255).astype(np.uint8))
    image.thumbnail((side_px, side_px), Image.Resampling.BOX)
    return to_png(np.asarray(image))
