"""PNG, JPEG, TIFF and WebP to pixels, with Pillow; runs in the decoding process."""

from io import BytesIO

import numpy as np
from PIL import Image, ImageOps

from imaging.burnt_in import checked
from imaging.errors import CorruptImageError, TooLargeError, UnsupportedFormatError
from imaging.image import DecodedImage, Pixels
from imaging.left_behind import record
from imaging.limits import Limits

Image.MAX_IMAGE_PIXELS = None  # our own limit is checked before any pixel is decoded
PNG_DEPTH_BYTE = 24  # in the IHDR chunk, which is always the first
TIFF_BITS_PER_SAMPLE = 258
WIDTHS = (8, 10, 12, 14, 16)


def decode_raster(
    data: bytes, *, source_format: str, source_sha256: str, limits: Limits
) -> DecodedImage:
    """Decode one picture; of several frames or pages, the first.

    Raises:
        ImagingError: If the picture is damaged, too large or of a kind that is not accepted.
    """
    notes: list[str] = []
    try:
        with Image.open(BytesIO(data), formats=[source_format.upper()]) as image:
            check_size(*image.size, limits=limits)
            if (n_frames := getattr(image, "n_frames", 1)) > 1 and image.format != "MPO":
                notes.append(f"the first of {n_frames} frames")
            pixels = _pixels(image, notes)
            if pixels.ndim == 3 and _has_deep_channels(image, data):
                notes.append("16-bit colour reduced to 8 bits")
    except (OSError, SyntaxError, ValueError, EOFError) as exc:
        raise CorruptImageError(f"the {source_format} file is truncated or damaged") from exc
    pixels = _one_channel_if_grey(pixels, notes)
    bits = _bits_used(pixels)
    if pixels.dtype == np.uint16:
        notes.append(f"{bits} of 16 bits are used")
    decoded = DecodedImage(
        pixels=pixels,
        window=(0.0, float(2**bits - 1)),
        source_format=source_format,
        source_sha256=source_sha256,
        bits=bits,
        acquisition={"deidentification": record(data, source_format)},
        notes=tuple(notes),
    )
    return checked(decoded)


def check_size(width: int, height: int, *, limits: Limits) -> None:
    """Refuse an image by its declared size, before its pixels are decoded.

    Raises:
        TooLargeError: If it has more pixels than the limit.
        CorruptImageError: If it has none.
    """
    if width < 1 or height < 1:
        raise CorruptImageError(f"the image is {width} x {height} pixels")
    if width * height > limits.max_pixels:
        raise TooLargeError(
            f"the image is {width:,} x {height:,} pixels; allowed are {limits.max_pixels:,} in all"
        )


def _pixels(image: Image.Image, notes: list[str]) -> Pixels:
    turned = ImageOps.exif_transpose(image)
    if turned.size != image.size or image.getexif().get(0x0112, 1) != 1:
        notes.append("turned upright as its EXIF orientation says")
    if turned.mode.startswith("I;16"):
        return np.asarray(turned).astype(np.uint16)
    if turned.mode == "I":
        values = np.asarray(turned)
        if values.min() < 0 or values.max() > 65535:
            raise UnsupportedFormatError("the image has 32-bit values; allowed are 8 and 16 bits")
        return values.astype(np.uint16)
    if turned.mode == "F":
        raise UnsupportedFormatError(
            "the image has floating-point values; allowed are 8 and 16 bits"
        )
    if turned.has_transparency_data:
        notes.append("transparency flattened on black")
        layer = turned.convert("RGBA")
        turned = Image.alpha_composite(Image.new("RGBA", layer.size, (0, 0, 0, 255)), layer)
    if turned.mode in ("1", "L"):
        return np.asarray(turned.convert("L"))
    if turned.mode == "CMYK":
        notes.append("converted from CMYK")
    return np.asarray(turned.convert("RGB"))


def _has_deep_channels(image: Image.Image, data: bytes) -> bool:
    """Return whether the file holds 16 bits a channel, of which Pillow keeps the upper 8."""
    if image.format == "PNG":
        return data[PNG_DEPTH_BYTE] == 16
    tags = getattr(image, "tag_v2", {})
    return bool(max(tags.get(TIFF_BITS_PER_SAMPLE, (8,))) > 8)


def _one_channel_if_grey(pixels: Pixels, notes: list[str]) -> Pixels:
    if pixels.ndim == 3 and (pixels == pixels[..., :1]).all():
        notes.append("three equal channels kept as one")
        pixels = pixels[..., 0]
    return pixels.copy()


def _bits_used(pixels: Pixels) -> int:
    if pixels.dtype == np.uint8:
        return 8
    used = int(pixels.max()).bit_length()
    return next(bits for bits in WIDTHS if bits >= used)
