"""Pixels to PNG and back without loss, and to what a model or a thumbnail shows."""

from io import BytesIO

import numpy as np
from numpy.typing import DTypeLike, NDArray
from PIL import Image

from imaging.image import PLAIN, Curve, Pixels, Shading, Window


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


def to_unit(pixels: Pixels, window: Window, shading: Shading = PLAIN) -> NDArray[np.float32]:
    """Return the greys of pixels in [0, 1]; the shape stays."""
    unit: NDArray[np.float32] = units(pixels.dtype, window, shading)[pixels]
    return unit


def units(dtype: DTypeLike, window: Window, shading: Shading = PLAIN) -> NDArray[np.float32]:
    """Return the grey in [0, 1] of every value that pixels of a type can have."""
    low, high = window
    values = np.arange(np.iinfo(np.dtype(dtype)).max + 1, dtype=np.float32)
    ramp = (values - low) / max(high - low, 1e-6)
    if shading.curve is Curve.SIGMOID:  # PS3.3, C.11.2.1.3.1
        greys = 1 / (1 + np.exp(np.clip(2 - 4 * ramp, -80, 80)))
    else:
        greys = np.clip(ramp, 0, 1)
    if shading.padding is not None:
        first, last = shading.padding
        greys[max(first, 0) : last + 1] = 0
    return np.asarray(greys, dtype=np.float32)


def thumbnail_png(
    pixels: Pixels,
    window: Window,
    shading: Shading = PLAIN,
    *,
    pixel_aspect: float = 1.0,
    side_px: int = 128,
) -> bytes:
    """Return a small 8-bit PNG of the picture in its true shape, its longer side `side_px`."""
    step = max(1, max(pixels.shape[:2]) // (4 * side_px))  # bounds the work on huge images
    unit = to_unit(pixels[::step, ::step], window, shading)
    image = Image.fromarray(np.rint(unit * 255).astype(np.uint8))
    if pixel_aspect != 1:
        taller, wider = max(pixel_aspect, 1), max(1 / pixel_aspect, 1)
        size = round(image.width * wider), round(image.height * taller)
        image = image.resize(size, Image.Resampling.BILINEAR)
    image.thumbnail((side_px, side_px), Image.Resampling.BOX)
    return to_png(np.asarray(image))
