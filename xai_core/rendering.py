"""Signed maps as pictures: one colour map, zero in its middle, its limit always stated.

The colours are ColorBrewer's (Brewer 2003) blue of "RdBu" and orange of "PuOr": told apart with
every common colour vision deficiency, and equally far from the neutral grey in lightness. Where two
maps are set against each other the colours are violet and green, in the manner of "PRGn", so that
nobody takes "the other map says more" for "against the target".
"""

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from xai_core.errors import InputError, MapError
from xai_core.heat import Heat, map_health

Box = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels of the picture; right and bottom are exclusive."""

Stops = tuple[tuple[int, int, int], ...]

_SIGN = (
    (5, 113, 176),
    (67, 147, 195),
    (146, 197, 222),
    (247, 247, 247),
    (253, 184, 99),
    (241, 140, 50),
    (230, 97, 1),
)
_CONTRAST = (
    (40, 150, 80),
    (104, 186, 128),
    (176, 222, 186),
    (247, 247, 247),
    (215, 188, 235),
    (184, 131, 220),
    (158, 86, 204),
)
_NEUTRAL = 128
_BAR_HEIGHT_PX = 28


def diverging_lut() -> NDArray[np.uint8]:
    """Return the colour map, (256, 3) uint8: blue is against the target, orange is for it.

    A value v in [-1, 1] has the colour at `128 + round(127 v)`: zero is exactly neutral, and
    entries 128 - k and 128 + k lie equally far from it. Entry 0 repeats entry 1.
    """
    return _lut(_SIGN)


def contrast_lut() -> NDArray[np.uint8]:
    """Return the colours of a disagreement map, (256, 3) uint8, with entries as `diverging_lut`.

    Violet is where the first map says more, green where the second does.
    """
    return _lut(_CONTRAST)


def symmetric_limit(heat: Heat, *, percentile: float = 99.5) -> float:
    """Return the |value| at which the colours saturate: a percentile of |heat|.

    Raises:
        MapError: The map is flat or holds NaN, so no scale means anything.
    """
    if problem := map_health(heat).problem:
        raise MapError(problem)
    limit = float(np.percentile(np.abs(heat), percentile))
    # A map may be zero nearly everywhere.
    return limit if limit > 0 else float(np.abs(heat).max())


def colourise(heat: Heat, limit: float) -> NDArray[np.uint8]:
    """Return the colours of a signed map, (H, W, 3) uint8; +-limit and beyond are saturated."""
    steps = np.rint((_NEUTRAL - 1) * np.clip(heat / limit, -1, 1)).astype(np.intp)
    colours: NDArray[np.uint8] = diverging_lut()[_NEUTRAL + steps]
    return colours


def heat_png(heat: Heat, *, min_side_px: int = 224) -> bytes:
    """Return the map alone with its colour bar, enlarged without smoothing, as a PNG.

    Raises:
        MapError: The map is flat or holds NaN.
    """
    limit = symmetric_limit(heat)
    factor = max(1, -(-min_side_px // min(heat.shape)))
    picture = Image.fromarray(colourise(heat, limit))
    picture = picture.resize(
        (heat.shape[1] * factor, heat.shape[0] * factor), Image.Resampling.NEAREST
    )
    return _png(_with_bar(picture, limit))


def overlay_png(
    image: NDArray[np.uint8],
    heat: Heat,
    *,
    box: Box | None = None,
    opacity: float = 0.7,
    limit: float | None = None,
) -> bytes:
    """Return the picture with the map laid over it and a colour bar below, as a PNG.

    Opacity grows with |value|, so that the picture stays visible where the map says nothing.

    Args:
        image: (H, W) grey or (H, W, 3) RGB, uint8.
        heat: Signed map, (h, w); positive speaks for the target.
        box: Where the map lies on the picture; None is all of it.
        opacity: Of the saturated colours, 0 to 1.
        limit: |value| at which colours saturate; None is `symmetric_limit(heat)`.

    Raises:
        MapError: The map is flat or holds NaN.
        InputError: The picture is no uint8 image.
    """
    if image.dtype != np.uint8 or image.shape[2:] not in ((), (3,)) or image.ndim < 2:
        raise InputError(
            f"image is {image.dtype} {image.shape}; allowed: uint8 (H, W) or (H, W, 3)"
        )
    limit = symmetric_limit(heat) if limit is None else limit
    weight = np.clip(np.abs(heat) / limit, 0, 1) * opacity
    layer = np.dstack([colourise(heat, limit), np.rint(255 * weight).astype(np.uint8)])
    picture = Image.fromarray(image).convert("RGBA")
    picture.alpha_composite(_placed(Image.fromarray(layer), picture.size, box))
    return _png(_with_bar(picture.convert("RGB"), limit))


def _lut(stops: Stops) -> NDArray[np.uint8]:
    """Return 256 colours through stops that lie evenly from -1 to 1."""
    positions = (np.maximum(np.arange(256), 1) - _NEUTRAL) / (_NEUTRAL - 1)
    places = np.linspace(-1, 1, len(stops))
    channels = [np.interp(positions, places, channel) for channel in zip(*stops, strict=True)]
    lut: NDArray[np.uint8] = np.rint(np.stack(channels, axis=1)).astype(np.uint8)
    return lut


def _placed(layer: Image.Image, size: tuple[int, int], box: Box | None) -> Image.Image:
    """Return the layer resampled into its box on a transparent picture of `size`."""
    left, top, right, bottom = box or (0, 0, *size)
    x_scale, y_scale = layer.width / (right - left), layer.height / (bottom - top)
    return layer.transform(
        size,
        Image.Transform.AFFINE,
        (x_scale, 0, -left * x_scale, 0, y_scale, -top * y_scale),
        Image.Resampling.NEAREST,
    )


def _with_bar(picture: Image.Image, limit: float) -> Image.Image:
    """Return the picture with a labelled colour bar below it."""
    width, height = picture.size
    canvas = Image.new("RGB", (width, height + _BAR_HEIGHT_PX), "white")
    canvas.paste(picture, (0, 0))
    ramp = np.linspace(-1, 1, width)[None].repeat(10, axis=0)
    canvas.paste(Image.fromarray(colourise(ramp, 1.0)), (0, height + 2))
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(11)
    labels = (
        (f"-{limit:.3g}", 1, "la"),
        ("0", width // 2, "ma"),
        (f"+{limit:.3g}", width - 1, "ra"),
    )
    for text, x, anchor in labels:
        draw.text((x, height + 13), text, fill="black", font=font, anchor=anchor)
    return canvas


def _png(picture: Image.Image) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()
