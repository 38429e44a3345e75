"""Samples that Pillow does not keep: more than 8 bits beside grey, signed, real, planar, packed.

Runs in the decoding process.
"""

import struct
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imaging.errors import CorruptImageError, UnsupportedFormatError
from imaging.formats import JPEG_2000
from imaging.limits import Limits, check_size

ORIENTATION = 0x0112  # of EXIF and TIFF
PNG_DEPTH, PNG_COLOUR = 24, 25  # bytes of the IHDR chunk, which is always the first
GREY_ALPHA, RGB, RGB_ALPHA = 4, 2, 6
JPEG_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
LOSSLESS = 0xC3
J2K_SIZES = b"\xff\x51"
WHITE_IS_ZERO, BLACK_IS_ZERO, TIFF_RGB = 0, 1, 2
UNSIGNED, SIGNED, REAL = 1, 2, 3
UNASSOCIATED = 2  # an alpha channel that colours are still to be multiplied by


@dataclass(frozen=True)
class Samples:
    """What a file's samples say.

    Attributes:
        values: (H, W) grey or (H, W, 3) colour: integers, or floating-point numbers.
        lowest: The least that a sample can be; of floating point 0.
        highest: The most; of floating point 1.
        white_is_zero: Whether larger is darker.
        orientation: As EXIF counts them.
        is_flattened: Whether there was transparency.
        n_frames: Pages in the file.
    """

    values: NDArray[Any]
    lowest: int
    highest: int
    white_is_zero: bool = False
    orientation: int = 1
    is_flattened: bool = False
    n_frames: int = 1


def deep_samples(data: bytes, source_format: str, *, frame: int, limits: Limits) -> Samples | None:
    """Return the samples of a file that Pillow would cut or misread; None where it would not.

    Raises:
        ImagingError: If its samples are of a kind that is not accepted.
    """
    if source_format == "PNG":
        deep = data[PNG_DEPTH : PNG_DEPTH + 1] == b"\x10"
        return _png(data, limits) if deep and data[PNG_COLOUR] != 0 else None
    if source_format == "JPEG":
        return _jpeg(data, limits)
    if source_format == JPEG_2000:
        return _jpeg_2000(data, limits)
    return _tiff(data, frame, limits) if source_format == "TIFF" else None


def _png(data: bytes, limits: Limits) -> Samples:
    check_size(*struct.unpack_from(">II", data, 16), limits=limits)
    values = imagecodecs.png_decode(data)
    has_alpha = data[PNG_COLOUR] in (GREY_ALPHA, RGB_ALPHA)
    if has_alpha:
        values = _on_black(values, 0xFFFF)
    with Image.open(BytesIO(data), formats=["PNG"]) as image:
        turn = image.getexif().get(ORIENTATION, 1)
    return Samples(_squeezed(values), 0, 0xFFFF, orientation=turn, is_flattened=has_alpha)


def _jpeg(data: bytes, limits: Limits) -> Samples | None:
    kind, bits, height, width = _jpeg_frame(data)
    if bits == 8 and kind != LOSSLESS:
        return None
    check_size(width, height, limits=limits)
    decode = imagecodecs.jpegsof3_decode if kind == LOSSLESS else imagecodecs.jpeg_decode
    values = decode(data)
    exif = Image.Exif()
    at = data.find(b"Exif\0\0", 0, 1 << 16)
    if at >= 0:
        exif.load(data[at : at + 0xFFFF])
    return Samples(_squeezed(values), 0, (1 << bits) - 1, orientation=exif.get(ORIENTATION, 1))


def _jpeg_frame(data: bytes) -> tuple[int, int, int, int]:
    """Return the marker, precision, height and width of the first frame header."""
    at = 2
    while at + 9 < len(data):
        marker = data[at + 1]
        if data[at] != 0xFF or marker == 0xFF:
            at += 1
        elif marker in JPEG_FRAMES:
            return marker, *struct.unpack_from(">BHH", data, at + 4)
        else:
            at += 2 + struct.unpack_from(">H", data, at + 2)[0]
    raise CorruptImageError("the JPEG file is truncated or damaged")


def _jpeg_2000(data: bytes, limits: Limits) -> Samples:
    at = data.find(J2K_SIZES) + len(J2K_SIZES)  # the SIZ segment, ISO/IEC 15444-1, A.5.1
    right, bottom, left, top = struct.unpack_from(">4I", data, at + 4)
    check_size(right - left, bottom - top, limits=limits)
    depth = data[at + 38]
    bits, is_signed = (depth & 0x7F) + 1, bool(depth & 0x80)
    if bits > 16:
        raise UnsupportedFormatError(f"the image has {bits} bits a sample; allowed are 1 to 16")
    values = imagecodecs.jpeg2k_decode(data)
    has_alpha = values.ndim == 3 and values.shape[2] in (2, 4)
    lowest, highest = _limits_of(bits, SIGNED if is_signed else UNSIGNED)
    if has_alpha:
        values = _on_black(values, highest)
    return Samples(_squeezed(values), lowest, highest, is_flattened=has_alpha)


def _tiff(data: bytes, frame: int, limits: Limits) -> Samples | None:
    from tifffile import TiffFile, TiffFileError

    try:
        with TiffFile(BytesIO(data)) as tiff:
            page: Any = tiff.pages[frame]
            kind, bits = int(page.sampleformat), int(page.bitspersample)
            if kind == UNSIGNED and bits <= 8:
                return None
            check_size(page.imagewidth, page.imagelength, limits=limits)
            _insist_kind(kind, bits, page)
            values = page.asarray()
            turn = page.tags.valueof(ORIENTATION, 1)
            n_frames = len(tiff.pages)
    except (TiffFileError, IndexError, KeyError, ValueError, TypeError) as exc:
        raise CorruptImageError("the TIFF file is truncated or damaged") from exc
    if page.samplesperpixel > 1 and int(page.planarconfig) == 2:
        values = np.moveaxis(values, 0, -1)
    lowest, highest = (0, 1) if kind == REAL else _limits_of(bits, kind)
    extra = tuple(map(int, page.extrasamples))
    if extra:
        n_colours = page.samplesperpixel - len(extra)
        if extra[0] == UNASSOCIATED:
            values = _on_black(values[..., : n_colours + 1], highest)
        values = values[..., :n_colours]
    is_turned = int(page.photometric) == WHITE_IS_ZERO
    return Samples(_squeezed(values), lowest, highest, is_turned, turn, bool(extra), n_frames)


def _insist_kind(kind: int, bits: int, page: Any) -> None:
    photometric, n_samples = int(page.photometric), page.samplesperpixel - len(page.extrasamples)
    if photometric not in (WHITE_IS_ZERO, BLACK_IS_ZERO, TIFF_RGB) or n_samples not in (1, 3):
        raise UnsupportedFormatError(
            f"the TIFF file has {n_samples} samples of {bits} bits of a kind ({photometric}) that "
            "is not supported; allowed are grey and RGB"
        )
    if kind not in (UNSIGNED, SIGNED, REAL):
        raise UnsupportedFormatError("the TIFF file holds complex or untyped numbers")
    if n_samples == 3 and (kind != UNSIGNED or bits > 16):
        raise UnsupportedFormatError(
            f"the TIFF file's colours are not unsigned numbers of 16 bits or fewer, but of {bits}"
        )


def _limits_of(bits: int, kind: int) -> tuple[int, int]:
    half = 1 << (bits - 1)
    return (-half, half - 1) if kind == SIGNED else (0, 2 * half - 1)


def _on_black(values: NDArray[Any], highest: int) -> NDArray[Any]:
    """Return (H, W, C) colours multiplied by the last of (H, W, C + 1) channels."""
    alpha = values[..., -1:].astype(np.int64)
    colours = values[..., :-1].astype(np.int64)
    return ((colours * alpha + highest // 2) // highest).astype(values.dtype)


def _squeezed(values: NDArray[Any]) -> NDArray[Any]:
    return values[..., 0] if values.ndim == 3 and values.shape[2] == 1 else values
