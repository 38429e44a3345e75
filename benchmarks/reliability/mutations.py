"""Small valid files of every accepted kind, and what may become of them: the same in every run."""

import io
import random
import zipfile
from collections.abc import Callable, Iterator
from functools import cache

import imagecodecs
import numpy as np
from PIL import Image
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from tests.planted import everything
from tests.radiographs import GREY, compressed, dataset, written

MAGIC_BYTES = 4  # left alone: else the file is refused for its beginning alone
DICOM_MAGIC_BYTES = 132
HEADER_BYTES = 512

Mutation = Callable[[bytearray, random.Random, bytes, int], bytes]


def mutated(number: int) -> tuple[str, bytes]:
    """Return the mutated file of this number: its kind, and its bytes."""
    draw = random.Random(number)
    files = sources()
    kind, source = files[number % len(files)]
    other = draw.choice(files)[1]
    intact = DICOM_MAGIC_BYTES if source[128:132] == b"DICM" else MAGIC_BYTES
    return kind, draw.choice(MUTATIONS)(bytearray(source), draw, other, intact)


@cache
def sources() -> list[tuple[str, bytes]]:
    """Return valid files; in DICOM, PNG, TIFF and ZIP of each way to pack what they hold."""
    files = [(name, data) for name, data in everything()[1] if not name.endswith(".txt")]
    files += [(f"dicom-{n}.dcm", data) for n, data in enumerate(_radiographs())]
    files += [(f"picture-{n}", data) for n, data in enumerate(_pictures())]
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", method) as archive:
            for name, data in files[:2]:
                archive.writestr(name, data)
        files.append((f"archive-{method}.zip", buffer.getvalue()))
    return files


def _radiographs() -> Iterator[bytes]:
    for syntax in (ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian):
        plain = dataset()
        plain.file_meta.TransferSyntaxUID = syntax
        yield written(plain)
    for syntax in (JPEG2000Lossless, JPEGLSLossless, RLELossless):
        packed = dataset()
        packed.compress(syntax, generate_instance_uid=False)
        yield written(packed)
    lossless = imagecodecs.ljpeg_encode(GREY, bitspersample=12)
    yield written(compressed(GREY, JPEGLosslessSV1, lossless))
    grey = (GREY >> 4).astype(np.uint8)
    yield written(compressed(grey, JPEGBaseline8Bit, imagecodecs.jpeg_encode(grey, level=98)))


def _pictures() -> Iterator[bytes]:
    grey = Image.fromarray((GREY >> 4).astype(np.uint8))
    colour = Image.merge("RGB", (grey, grey.rotate(180), grey))
    ways = [(colour, "TIFF", {"compression": c}) for c in ("tiff_lzw", "tiff_deflate", "jpeg")]
    ways += [(Image.fromarray(GREY), "PNG", {}), (colour.convert("P"), "PNG", {})]
    ways += [(colour, "JPEG", {"progressive": True}), (colour, "WEBP", {"lossless": True})]
    for picture, form, options in ways:
        buffer = io.BytesIO()
        picture.save(buffer, form, **options)
        yield buffer.getvalue()


def _flip(data: bytearray, draw: random.Random, _: bytes, intact: int) -> bytes:
    for _ in range(draw.randint(1, 12)):
        data[draw.randrange(intact, len(data))] ^= 1 << draw.randrange(8)
    return bytes(data)


def _cut(data: bytearray, draw: random.Random, _: bytes, intact: int) -> bytes:
    return bytes(data[: draw.randrange(intact, len(data))])


def _splice(data: bytearray, draw: random.Random, other: bytes, intact: int) -> bytes:
    at, n = draw.randrange(intact, len(data)), draw.randint(1, 200)
    start = draw.randrange(len(other))
    return bytes(data[:at] + other[start : start + n] + data[at + draw.choice((0, n)) :])


def _edit_header(data: bytearray, draw: random.Random, _: bytes, intact: int) -> bytes:
    """Put extreme numbers where sizes, counts and offsets stand."""
    for _ in range(draw.randint(1, 3)):
        width = draw.choice((1, 2, 4))
        at = draw.randrange(intact, min(intact + HEADER_BYTES, len(data) - width))
        largest = (1 << 8 * width) - 1
        value = draw.choice((0, 1, largest, largest >> 1, draw.randint(0, largest)))
        data[at : at + width] = value.to_bytes(width, draw.choice(("little", "big")))
    return bytes(data)


def _repeat(data: bytearray, draw: random.Random, _: bytes, intact: int) -> bytes:
    at, n = draw.randrange(intact, len(data)), draw.randint(1, 64)
    return bytes(data[:at] + data[at : at + n] * draw.randint(2, 200) + data[at:])


MUTATIONS: tuple[Mutation, ...] = (_flip, _cut, _splice, _edit_header, _repeat)
