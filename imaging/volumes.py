"""NIfTI, NRRD and MetaImage to slices as a radiologist sees them; runs in the decoding process.

Axes are turned to the patient's left, back and head, as far as the file says where these are; a
slice lies across the last, seen from the feet.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.burnt_in import checked
from imaging.deep import Samples
from imaging.errors import CorruptImageError, ImagingError, TooLargeError, UnsupportedFormatError
from imaging.formats import META_IMAGE, NIFTI
from imaging.image import DecodedImage, Note, Of, RangeFrom, Window
from imaging.levels import levels_of
from imaging.limits import Limits, check_frames, check_size, key_frame

GZIP = 16 + zlib.MAX_WBITS
TO_LPS = np.diag([-1.0, -1.0, 1.0])
NRRD_SPACES = {  # those whose axes are the patient's, and which way each goes
    "left-posterior-superior": np.eye(3),
    "lps": np.eye(3),
    "right-anterior-superior": TO_LPS,
    "ras": TO_LPS,
    "left-anterior-superior": np.diag([1.0, -1.0, 1.0]),
    "las": np.diag([1.0, -1.0, 1.0]),
}
META_TYPES = {
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2",
    "MET_INT": "i4", "MET_UINT": "u4", "MET_FLOAT": "f4", "MET_DOUBLE": "f8",
}  # fmt: skip
MOST_HEADER_LINES = 200


@dataclass(frozen=True)
class Volume:
    """Values and where they lie.

    Attributes:
        values: Indexed by x, y, z and then by time or whatever else there is.
        axes: (3, 3), a column an index: the way that it goes in mm, to the left, back and head.
            None where the file does not say.
        spacing: In mm along x and y.
        slope: Physical value = value * slope + intercept.
        intercept: See `slope`.
        shown: (black, white) in physical values, if the file says so.
    """

    values: NDArray[Any]
    axes: NDArray[np.float64] | None
    spacing: tuple[float, float]
    slope: float = 1.0
    intercept: float = 0.0
    shown: Window | None = None


def decode_volume(
    data: bytes,
    *,
    source_format: str,
    source_sha256: str,
    limits: Limits,
    frame: int | None = None,
    grey_range: Window | None = None,
) -> DecodedImage:
    """Decode one slice.

    Args:
        data: The file.
        source_format: Of it.
        source_sha256: Of it.
        limits: What it may take.
        frame: Which slice, from 0 at the feet; None is the only one, or the middle one.
        grey_range: (black, white) in physical values, where the file says nothing.

    Raises:
        ImagingError: If the file is damaged, too large or of a kind that is not accepted.
    """
    opened = _Opened.of(data, source_format, limits)
    return opened.slice(key_frame(frame, len(opened.values)), grey_range, source_sha256)


def volume_slices(
    data: bytes,
    *,
    source_format: str,
    source_sha256: str,
    limits: Limits,
    grey_range: Window | None = None,
) -> Iterator[DecodedImage]:
    """Decode every slice: first the middle one, then the others from the feet to the head.

    Raises:
        ImagingError: As `decode_volume`, and if there are more slices than the limits allow.
    """
    opened = _Opened.of(data, source_format, limits)
    n_slices, height, width = opened.values.shape
    check_frames(n_slices, width, height, limits=limits)
    key = opened.slice(key_frame(None, n_slices), grey_range, source_sha256)
    yield key
    slope, intercept = key.rescale
    black, white = sorted(edge * slope + intercept for edge in key.window)
    for index in range(n_slices):
        if index != key.frame:  # all of a volume have one range, also slices of air
            image = opened.slice(index, (black, white), source_sha256)
            yield replace(image, range_from=key.range_from)


@dataclass(frozen=True)
class _Opened:
    """A file's slices, (n, height, width), and the height of their pixels over the width."""

    values: NDArray[Any]
    aspect: float
    volume: Volume
    source_format: str

    @classmethod
    def of(cls, data: bytes, source_format: str, limits: Limits) -> "_Opened":
        read = {NIFTI: _nifti, META_IMAGE: _meta_image}.get(source_format, _nrrd)
        try:
            volume = read(data, limits)
            values, aspect = _slices(volume)
        except ImagingError:
            raise
        except Exception as exc:  # each library has errors of its own
            raise CorruptImageError(f"the {source_format} file is truncated or damaged") from exc
        check_size(values.shape[2], values.shape[1], limits=limits)
        return cls(values, aspect, volume, source_format)

    def slice(self, index: int, grey_range: Window | None, source_sha256: str) -> DecodedImage:
        image = _image(
            self.values[index], self.volume, grey_range, self.source_format, source_sha256
        )
        notes = [*image.notes]
        if self.volume.axes is None:
            notes.append(Note(Of.SHAPE, "the file does not say which side is the patient's left"))
        if self.aspect != 1:
            words = f"pixels are {self.aspect:.4g} times as tall as wide: drawn so"
            notes.append(Note(Of.SHAPE, words))
        behind: dict[str, object] = {"methods": [], "replaced": [], "not_listed": []}
        behind |= {"removed": ["header texts"], "n_removed": 1}
        return checked(
            replace(
                image,
                pixel_aspect=self.aspect,
                frame=index,
                n_frames=len(self.values),
                notes=tuple(notes),
                acquisition={"deidentification": behind},
            )
        )


def _image(
    values: NDArray[Any], volume: Volume, grey_range: Window | None, kind: str, sha256: str
) -> DecodedImage:
    notes: list[Note] = []
    stated = volume.shown or grey_range
    if stated is not None:
        low, high = sorted((edge - volume.intercept) / volume.slope for edge in stated)
        stated = low, high
    if values.dtype.kind == "f":
        lowest, highest = 0, 1
    else:
        lowest, highest = int(np.iinfo(values.dtype).min), int(np.iinfo(values.dtype).max)
    samples = Samples(values, lowest, highest, white_is_zero=volume.slope < 0)
    image = levels_of(values, samples, notes, stated, source_format=kind, sha256=sha256)
    slope, intercept = image.rescale
    said = RangeFrom.FILE if volume.shown else image.range_from
    return replace(
        image,
        rescale=(slope * volume.slope, intercept * volume.slope + volume.intercept),
        range_from=said,
        notes=tuple(notes),
    )


def _slices(volume: Volume) -> tuple[NDArray[Any], float]:
    """Return (n, height, width) slices, and the height of their pixels over the width."""
    values = volume.values
    values = values.reshape(*values.shape[:3], *(1,) * (3 - values.ndim), -1)
    spacing = np.array([*volume.spacing, 0.0])
    if volume.axes is not None:
        order, signs = _ways(volume.axes)
        values = values.transpose(*order, 3)
        values = values[tuple(slice(None, None, sign) for sign in signs)]
        spacing = np.linalg.norm(volume.axes, axis=0)[order]
    n_other = values.shape[2] * values.shape[3]
    slices = values.transpose(3, 2, 1, 0).reshape(n_other, values.shape[1], values.shape[0])
    aspect = float(spacing[1] / spacing[0]) if spacing[0] > 0 and spacing[1] > 0 else 1.0
    return slices, aspect if 0.05 <= aspect <= 20 and abs(aspect - 1) > 0.01 else 1.0


def _ways(axes: NDArray[np.float64]) -> tuple[list[int], list[int]]:
    """Return which index goes to the left, back and head, most nearly, and 1 or -1 for its sign."""
    order: list[int] = []
    signs: list[int] = []
    left = [0, 1, 2]
    for way in (2, 1, 0):
        index = max(left, key=lambda column: abs(axes[way, column]))
        left.remove(index)
        order.insert(0, index)
        signs.insert(0, 1 if axes[way, index] >= 0 else -1)
    return order, signs


def _nifti(data: bytes, limits: Limits) -> Volume:
    from nibabel.nifti1 import Nifti1Image
    from nibabel.nifti2 import Nifti2Image

    if data[:2] == b"\x1f\x8b":
        data = _inflated(data, limits, GZIP)
    is_second = data[4:8] == b"n+2\0"
    image: Any = (Nifti2Image if is_second else Nifti1Image).from_bytes(data)
    header = image.header
    if header.get_data_dtype().kind not in "iuf":
        raise UnsupportedFormatError("the NIfTI file holds colours or complex numbers, not grey")
    slope, intercept = header.get_slope_inter()
    is_placed = bool(header["sform_code"] or header["qform_code"])
    axes = TO_LPS @ np.asarray(image.affine[:3, :3], np.float64) if is_placed else None
    low, high = float(header["cal_min"]), float(header["cal_max"])
    zooms = [*map(float, header.get_zooms()), 1.0, 1.0]
    return Volume(
        np.asanyarray(image.dataobj.get_unscaled()),
        axes,
        (zooms[0], zooms[1]),
        slope=float(slope or 1),
        intercept=float(intercept or 0),
        shown=(low, high) if high > low else None,
    )


def _nrrd(data: bytes, _: Limits) -> Volume:
    import nrrd

    stream = BytesIO(data)
    header = nrrd.read_header(stream)
    if "data file" in header or "datafile" in header:
        raise UnsupportedFormatError("the NRRD file's pixels are in another file")
    values = nrrd.read_data(header, stream, index_order="F")
    if values.ndim < 2 or values.dtype.kind not in "iuf":
        raise UnsupportedFormatError("the NRRD file holds no grey picture")
    directions = header.get("space directions")
    to_lps = NRRD_SPACES.get(str(header.get("space", "")).lower())
    axes, spacing = None, [*map(float, header.get("spacings", ())), 1.0, 1.0]
    if directions is not None:
        if np.isnan(np.asarray(directions, np.float64)).any():
            raise UnsupportedFormatError("the NRRD file holds colours or vectors, not grey")
        columns = np.asarray(directions, np.float64).T
        spacing = [*map(float, np.linalg.norm(columns, axis=0)), 1.0]
        axes = to_lps @ columns if to_lps is not None and columns.shape == (3, 3) else None
    return Volume(values, axes, (spacing[0], spacing[1]))


def _meta_image(data: bytes, limits: Limits) -> Volume:
    header, pixels = _meta_header(data)
    kind = META_TYPES.get(header.get("ElementType", ""))
    if kind is None or header.get("ElementNumberOfChannels", "1") != "1":
        raise UnsupportedFormatError("the MetaImage file holds colours or vectors, not grey")
    if header.get("CompressedData", "False").lower() == "true":
        pixels = _inflated(pixels, limits, zlib.MAX_WBITS)
    is_big = "true" in (
        header.get(key, "").lower() for key in ("ElementByteOrderMSB", "BinaryDataByteOrderMSB")
    )
    shape = tuple(map(int, header["DimSize"].split()))
    n_bytes = int(np.prod(shape, dtype=np.int64)) * np.dtype(kind).itemsize
    if len(shape) < 2 or min(shape) < 1 or len(pixels) < n_bytes:
        raise CorruptImageError(
            f"the MetaImage file has {len(pixels):,} bytes of pixels, its header describes "
            f"{n_bytes:,}"
        )
    stored = np.frombuffer(pixels[:n_bytes], f"{'>' if is_big else '<'}{kind}")
    values = stored.reshape(shape, order="F").astype(kind)
    steps = [float(step) for step in header.get("ElementSpacing", "").split()]
    spacing = [*steps, *([1.0] * (3 - len(steps)))][:3]
    matrix = [float(v) for v in header.get("TransformMatrix", "").split()]
    axes = None
    if len(shape) == 3 and len(matrix) == 9:
        axes = np.array(matrix).reshape(3, 3).T * spacing  # a row of the file is an index's way
    return Volume(values, axes, (spacing[0], spacing[1]))


def _meta_header(data: bytes) -> tuple[dict[str, str], bytes]:
    header: dict[str, str] = {}
    at = 0
    for _ in range(MOST_HEADER_LINES):
        end = data.find(b"\n", at)
        if end < 0:
            break
        key, _, value = data[at:end].decode("latin-1").partition("=")
        header[key.strip()] = value.strip()
        at = end + 1
        if key.strip() == "ElementDataFile":
            if value.strip() != "LOCAL":
                raise UnsupportedFormatError("the MetaImage file's pixels are in another file")
            return header, data[at:]
    raise CorruptImageError("the MetaImage file is truncated or damaged")


def _inflated(data: bytes, limits: Limits, kind: int) -> bytes:
    """Return unpacked bytes, as many as the limits allow."""
    unpacker = zlib.decompressobj(kind)
    most = limits.max_memory_bytes // 4
    unpacked = unpacker.decompress(data, most)
    if unpacker.unconsumed_tail:
        raise TooLargeError(f"the file unpacks to more than {most / 1e6:,.0f} MB")
    return unpacked
