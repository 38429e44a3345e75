"""One grey picture of 12 bits in every encoding that keeps it: (bytes, how it is to be read)."""

from collections.abc import Callable
from io import BytesIO
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from tests.imaging.test_imaging_dicom import compressed, dataset, written

Grey = NDArray[np.uint16]
Encoded = tuple[bytes, dict[str, Any]]
WINDOW = {"WindowCenter": 2048, "WindowWidth": 4096}
TOP = 4095


def dicom(values: NDArray[Any], **tags: Any) -> bytes:
    return written(dataset(values, **({} if "VOILUTSequence" in tags else WINDOW) | tags))


def syntax(values: Grey, uid: str) -> bytes:
    ds = dataset(values, **WINDOW)
    ds.file_meta.TransferSyntaxUID = uid
    if uid == ExplicitVRBigEndian:
        ds.PixelData = values.byteswap().tobytes()
    return written(ds)


def packed(values: Grey, uid: str) -> bytes:
    ds = dataset(values, **WINDOW)
    ds.compress(uid, generate_instance_uid=False)
    return written(ds)


def lossless_jpeg(values: Grey) -> bytes:
    frame = imagecodecs.ljpeg_encode(values, bitspersample=12)
    return written(compressed(values, JPEGLosslessSV1, frame, **WINDOW))


def lut(entries: NDArray[np.uint16], bits: int) -> Sequence:
    item = Dataset()
    item.LUTDescriptor = [len(entries) % 65536, 0, bits]
    item.LUTData = entries.astype("<u2").tobytes()
    item["LUTData"].VR = "OW"
    return Sequence([item])


def enhanced(values: Grey) -> bytes:
    ds = dataset(values, NumberOfFrames=1)
    group, window, line = Dataset(), Dataset(), Dataset()
    window.WindowCenter, window.WindowWidth = 1024, 4096
    line.RescaleSlope, line.RescaleIntercept, line.RescaleType = 1, -1024, "HU"
    group.FrameVOILUTSequence = [window]
    shared = Dataset()
    shared.PixelValueTransformationSequence = [line]
    ds.SharedFunctionalGroupsSequence, ds.PerFrameFunctionalGroupsSequence = [shared], [group]
    return written(ds)


def second_of_three(values: Grey, uid: str | None = None) -> bytes:
    ds = dataset(values, NumberOfFrames=3, **WINDOW)
    frames = [np.zeros_like(values), values, np.full_like(values, 9)]
    if uid is None:
        ds.PixelData = b"".join(frame.tobytes() for frame in frames)
    else:
        coded = [imagecodecs.ljpeg_encode(frame, bitspersample=12) for frame in frames]
        ds.file_meta.TransferSyntaxUID = uid
        ds.PixelData = encapsulate(coded)
        ds["PixelData"].VR = "OB"
    return written(ds)


def spread(values: Grey) -> Grey:
    """16 bits whose black and white are those of 12."""
    return np.rint(values * (65535 / TOP)).astype(np.uint16)


def png(values: NDArray[Any]) -> bytes:
    return imagecodecs.png_encode(values)


def tiff(values: NDArray[Any], **options: Any) -> bytes:
    buffer = BytesIO()
    tifffile.imwrite(buffer, values, **({"photometric": "minisblack", "metadata": None} | options))
    return buffer.getvalue()


def three(values: NDArray[Any]) -> NDArray[Any]:
    return np.repeat(values[..., None], 3, axis=2)


def with_alpha(values: Grey) -> NDArray[np.uint16]:
    return np.dstack([values, np.full_like(values, 65535)])


def pillow(values: NDArray[Any], kind: str) -> bytes:
    buffer = BytesIO()
    Image.fromarray(values).save(buffer, kind)
    return buffer.getvalue()


def plain(encode: Callable[[Grey], bytes], **how: Any) -> Callable[[Grey], Encoded]:
    return lambda values: (encode(values), how)


STATED = {"grey_range": (0, TOP)}
ENCODINGS: dict[str, Callable[[Grey], Encoded]] = {
    "MONOCHROME2": plain(dicom),
    "MONOCHROME1": plain(lambda v: dicom(TOP - v, PhotometricInterpretation="MONOCHROME1")),
    "negative slope": plain(lambda v: dicom(TOP - v, RescaleSlope=-1, RescaleIntercept=TOP)),
    "MONOCHROME1, negative slope": plain(
        lambda v: dicom(
            v,
            PhotometricInterpretation="MONOCHROME1",
            RescaleSlope=-1,
            RescaleIntercept=TOP,
        )
    ),
    "signed": plain(lambda v: dicom(v.astype(np.int16) - 2048, WindowCenter=0)),
    "signed, 16 bits": plain(
        lambda v: dicom(
            v.astype(np.int16) - 1024,
            RescaleIntercept=-100,
            WindowCenter=2048 - 1124,
            BitsStored=16,
            HighBit=15,
        )
    ),
    "high bit 15": plain(lambda v: dicom(v << 4, HighBit=15)),
    "bits above": plain(lambda v: dicom(v | np.uint16(0xA000))),
    "tiny slope": plain(
        lambda v: dicom(
            v,
            RescaleSlope=1 / 4095,
            RescaleIntercept=0,
            WindowCenter=0.5,
            WindowWidth=1,
            VOILUTFunction="LINEAR_EXACT",
        )
    ),
    "narrow linear window": plain(
        lambda v: dicom(v, RescaleSlope=1 / 8190, WindowCenter=0.25, WindowWidth=0.5)
    ),
    "several windows": plain(lambda v: dicom(v, WindowCenter=[2048, 40], WindowWidth=[4096, 400])),
    "no window": plain(lambda v: written(dataset(v))),
    "modality table": plain(
        lambda v: dicom(TOP - v, ModalityLUTSequence=lut(np.arange(4096)[::-1], 12))
    ),
    "VOI table": plain(lambda v: dicom(TOP - v, VOILUTSequence=lut(np.arange(4096)[::-1], 12))),
    "VOI table after rescale": plain(
        lambda v: dicom(
            v,
            RescaleSlope=2,
            RescaleIntercept=0,
            VOILUTSequence=lut(np.arange(8192) // 2, 12),
        )
    ),
    "enhanced": plain(enhanced),
    "frame": plain(second_of_three, frame=1),
    "frame, lossless JPEG": plain(lambda v: second_of_three(v, JPEGLosslessSV1), frame=1),
    "implicit": plain(lambda v: syntax(v, ImplicitVRLittleEndian)),
    "big endian": plain(lambda v: syntax(v, ExplicitVRBigEndian)),
    "deflated": plain(lambda v: syntax(v, DeflatedExplicitVRLittleEndian)),
    "RLE": plain(lambda v: packed(v, RLELossless)),
    "JPEG-LS": plain(lambda v: packed(v, JPEGLSLossless)),
    "JPEG 2000 in DICOM": plain(lambda v: packed(v, JPEG2000Lossless)),
    "lossless JPEG in DICOM": plain(lossless_jpeg),
    "TIFF preamble": plain(lambda v: b"II*\0" + dicom(v)[4:]),
    "without preamble": plain(lambda v: dicom(v)[132:]),
    "PNG": plain(lambda v: png(spread(v))),
    "PNG, stated": plain(png, **STATED),
    "PNG, offset, stated": plain(lambda v: png(v + np.uint16(1000)), grey_range=(1000, 5095)),
    "PNG with alpha": plain(lambda v: png(with_alpha(spread(v)))),
    "PNG, three channels": plain(lambda v: png(three(spread(v)))),
    "TIFF": plain(lambda v: tiff(spread(v))),
    "TIFF, big endian": plain(lambda v: tiff(spread(v), byteorder=">")),
    "TIFF, white is zero": plain(lambda v: tiff(65535 - spread(v), photometric="miniswhite")),
    "TIFF, white is zero, big endian": plain(
        lambda v: tiff(65535 - spread(v), photometric="miniswhite", byteorder=">")
    ),
    "TIFF, LZW tiles": plain(lambda v: tiff(spread(v), compression="lzw", tile=(16, 16))),
    "BigTIFF": plain(lambda v: tiff(spread(v), bigtiff=True)),
    "TIFF, 12 bits packed": plain(lambda v: tiff(v, bitspersample=12)),
    "TIFF, signed": plain(
        lambda v: tiff(v.astype(np.int16) - 1024), grey_range=(-1024, TOP - 1024)
    ),
    "TIFF, 32 bits": plain(lambda v: tiff(v.astype(np.uint32)), **STATED),
    "TIFF, float": plain(lambda v: tiff((v / TOP).astype(np.float32))),
    "TIFF, double, stated": plain(lambda v: tiff(v - 900.0), grey_range=(-900, TOP - 900)),
    "TIFF, planar": plain(
        lambda v: tiff(np.stack([spread(v)] * 3), photometric="rgb", planarconfig="separate")
    ),
    "TIFF, RGB": plain(lambda v: tiff(three(spread(v)), photometric="rgb")),
    "JPEG 2000": plain(lambda v: imagecodecs.jpeg2k_encode(spread(v), level=0, codecformat="jp2")),
    "JPEG 2000, 12 bits": plain(
        lambda v: imagecodecs.jpeg2k_encode(v, level=0, bitspersample=12, codecformat="j2k")
    ),
    "lossless JPEG": plain(lambda v: imagecodecs.ljpeg_encode(v, bitspersample=12)),
}
EIGHT_BITS: dict[str, Callable[[NDArray[np.uint8]], bytes]] = {
    "PNG": lambda v: pillow(v, "PNG"),
    "PNG, three channels": lambda v: pillow(three(v), "PNG"),
    "PNG, palette": lambda v: imagecodecs.png_encode(three(v)),
    "TIFF": lambda v: pillow(v, "TIFF"),
    "TIFF, white is zero": lambda v: tiff(255 - v, photometric="miniswhite"),
    "TIFF, signed bytes": lambda v: tiff((v.astype(np.int16) - 128).astype(np.int8)),
    "GIF": lambda v: pillow(v, "GIF"),
    "BMP": lambda v: pillow(v, "BMP"),
    "WebP": lambda v: imagecodecs.webp_encode(three(v), lossless=True),
    "AVIF": lambda v: imagecodecs.avif_encode(three(v), level=100, pixelformat="444"),
    "JPEG 2000": lambda v: imagecodecs.jpeg2k_encode(v, level=0),
    "DICOM": lambda v: written(dataset(v)),
    "DICOM, MONOCHROME1": lambda v: written(
        dataset(255 - v, PhotometricInterpretation="MONOCHROME1")
    ),
    "DICOM, RGB": lambda v: written(dataset(three(v))),
}
