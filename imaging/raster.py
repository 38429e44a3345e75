"""Pictures to pixels; runs in the decoding process."""

from dataclasses import replace
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imaging.burnt_in import checked
from imaging.colour import eight_bits
from imaging.deep import ORIENTATION, Samples, deep_samples
from imaging.errors import CorruptImageError, ImagingError, UnsupportedFormatError
from imaging.formats import JPEG_2000
from imaging.image import DecodedImage, Note, Of, Window
from imaging.left_behind import record
from imaging.levels import levels_of
from imaging.limits import Limits, check_size

Image.MAX_IMAGE_PIXELS = None  # our own limit is checked before any pixel is decoded
PILLOW_NAMES = {JPEG_2000: "JPEG2000"}
UPRIGHT = Note(Of.SHAPE, "turned upright as its EXIF orientation says")
FLATTENED = Note(Of.VALUES, "transparency flattened on black")


def decode_raster(
    data: bytes,
    *,
    source_format: str,
    source_sha256: str,
    limits: Limits,
    frame: int | None = None,
    grey_range: Window | None = None,
) -> DecodedImage:
    """Decode one picture.

    Args:
        data: The file.
        source_format: Of it.
        source_sha256: Of it.
        limits: What it may take.
        frame: Which frame or page, from 0; None is the first.
        grey_range: (black, white) in sample values, where samples have more than 8 bits.

    Raises:
        ImagingError: If the picture is damaged, too large or of a kind that is not accepted.
    """
    notes: list[Note] = []
    try:
        samples = deep_samples(data, source_format, frame=frame or 0, limits=limits)
        if samples is None:
            samples = _by_pillow(data, source_format, frame or 0, limits, notes)
        elif samples.is_flattened:
            notes.append(FLATTENED)
    except ImagingError:
        raise
    except Exception as exc:  # each codec has errors of its own
        raise CorruptImageError(f"the {source_format} file is truncated or damaged") from exc
    if samples.n_frames > 1 and frame is None:
        notes.append(Note(Of.SHAPE, f"the first of {samples.n_frames} frames"))
    values = _upright(samples, notes)
    if values.ndim == 3 and (values == values[..., :1]).all():
        notes.append(Note(Of.VALUES, "three equal channels kept as one"))
        values = np.ascontiguousarray(values[..., 0])
    if values.ndim == 3:
        bits = samples.highest.bit_length()
        image = DecodedImage(
            pixels=eight_bits(values, bits, notes),
            window=(0.0, 255.0),
            source_format=source_format,
            source_sha256=source_sha256,
        )
    else:
        image = levels_of(
            values, samples, notes, grey_range, source_format=source_format, sha256=source_sha256
        )
    kept = {"deidentification": record(data, source_format)}
    return checked(replace(image, acquisition=kept, notes=tuple(notes), n_frames=samples.n_frames))


def _by_pillow(
    data: bytes, source_format: str, frame: int, limits: Limits, notes: list[Note]
) -> Samples:
    name = PILLOW_NAMES.get(source_format, source_format.upper())
    with Image.open(BytesIO(data), formats=[name]) as image:
        check_size(*image.size, limits=limits)
        n_frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
        if not 0 <= frame < n_frames:
            raise UnsupportedFormatError(f"there is no frame {frame}; the file holds {n_frames}")
        if frame:
            image.seek(frame)
        turn = int(image.getexif().get(ORIENTATION, 1))
        values, highest = _values(image, notes)
    return Samples(values, 0, highest, orientation=turn, n_frames=n_frames)


def _values(image: Image.Image, notes: list[Note]) -> tuple[NDArray[Any], int]:
    """Return samples and the most that they can be."""
    if image.mode.startswith("I;16") or image.mode == "I":
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 0xFFFF:
            raise UnsupportedFormatError("the image has 32-bit values; allowed are 8 and 16 bits")
        return values.astype(np.uint16), 0xFFFF
    if image.has_transparency_data:
        notes.append(FLATTENED)
        layer = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", layer.size, (0, 0, 0, 255)), layer)
    if image.mode in ("1", "L"):
        return np.asarray(image.convert("L")), 0xFF
    if image.mode == "CMYK":
        notes.append(Note(Of.VALUES, "converted from CMYK"))
    return np.asarray(image.convert("RGB")), 0xFF


def _upright(samples: Samples, notes: list[Note]) -> NDArray[Any]:
    """Return the values as an EXIF orientation wants them shown."""
    turn, values = samples.orientation, samples.values
    if not 2 <= turn <= 8:
        return np.ascontiguousarray(values)
    notes.append(UPRIGHT)
    if turn >= 5:
        values = values.swapaxes(0, 1)
    if turn in (3, 4, 7, 8):
        values = values[::-1]
    if turn in (2, 3, 6, 7):
        values = values[:, ::-1]
    return np.ascontiguousarray(values)
