"""DICOM to pixels, with identifiers left behind; runs in the decoding process.

Tags are named by their keywords (PS3.6). What is kept beside the pixels: `imaging.deidentify`.
"""

import warnings
from collections.abc import Callable
from io import BytesIO
from typing import Any

import imagecodecs
import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.encaps import generate_frames
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut
from pydicom.uid import UID

from imaging.burnt_in import checked, said_of_text
from imaging.deidentify import facts_of, identity_of
from imaging.errors import CorruptImageError, ImagingError, UnsupportedFormatError
from imaging.formats import has_preamble
from imaging.image import DecodedImage, Identity, Pixels
from imaging.limits import Limits
from imaging.raster import check_size

# Codecs that pydicom has no permissively licensed plugin for (PS3.5, annex A.4).
OWN_CODECS: dict[str, Callable[[bytes], NDArray[Any]]] = {
    "1.2.840.10008.1.2.4.51": imagecodecs.jpeg_decode,
    "1.2.840.10008.1.2.4.57": imagecodecs.jpegsof3_decode,
    "1.2.840.10008.1.2.4.70": imagecodecs.jpegsof3_decode,
}
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"  # and its multi-frame kinds (PS3.4, B.5)
PERCENTILES = (0.5, 99.5)
MOST_PHYSICAL = 1e7  # a larger slope, intercept or window edge is a mistake, or not a number


def decode_dicom(
    data: bytes,
    *,
    source_sha256: str,
    limits: Limits,
) -> DecodedImage:
    """Decode a single-frame image; its identity is yet to be keyed.

    Raises:
        ImagingError: If the data set is damaged, holds no image, or one of a kind not accepted.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom warns of values that we do not use
        try:
            dataset = pydicom.dcmread(BytesIO(data), force=not has_preamble(data))
            _check(dataset, limits)
            stored = _stored_values(dataset)
            return _image(
                dataset,
                stored,
                source_sha256=source_sha256,
                identity=identity_of(dataset),
            )
        except ImagingError:
            raise
        except Exception as exc:  # hostile data sets fail in ways without number
            raise CorruptImageError(
                "the DICOM file is truncated, damaged or contradictory"
            ) from exc


def _check(dataset: pydicom.Dataset, limits: Limits) -> None:
    if "PixelData" not in dataset:
        has_other = "FloatPixelData" in dataset or "DoubleFloatPixelData" in dataset
        what = "floating-point pixels" if has_other else "no image (no PixelData)"
        raise UnsupportedFormatError(f"the DICOM file holds {what}")
    if missing := [k for k in ("Rows", "Columns", "BitsAllocated") if not dataset.get(k)]:
        raise CorruptImageError(f"the DICOM file lacks {', '.join(missing)}")
    check_size(int(dataset.Columns), int(dataset.Rows), limits=limits)
    if (n_frames := int(dataset.get("NumberOfFrames") or 1)) > 1:
        raise UnsupportedFormatError(
            f"the DICOM file holds {n_frames} frames; single images are accepted"
        )
    if int(dataset.BitsAllocated) > 16:
        raise UnsupportedFormatError(
            f"the DICOM file has {int(dataset.BitsAllocated)} bits a sample; allowed are 8 and 16"
        )


def _stored_values(dataset: pydicom.Dataset) -> NDArray[Any]:
    """Return (H, W) or (H, W, 3) values as stored, colour as RGB."""
    syntax = _transfer_syntax(dataset)
    decoder = OWN_CODECS.get(syntax)
    if decoder is None:
        return _within_bits(dataset, _decoded(dataset))
    frame = next(generate_frames(dataset.PixelData, number_of_frames=1))
    values = decoder(frame)
    if values.shape[:2] != (dataset.Rows, dataset.Columns):
        raise CorruptImageError(
            f"the compressed image is {values.shape[1]} x {values.shape[0]} pixels; the DICOM "
            f"header says {dataset.Columns} x {dataset.Rows}"
        )
    return _within_bits(dataset, values)


def _decoded(dataset: pydicom.Dataset) -> NDArray[Any]:
    """Return what pydicom decodes; of uncompressed samples all bits, wherever the stored ones lie.

    pydicom takes the lowest bits whatever HighBit says.
    """
    given = dataset.get("BitsStored"), dataset.get("HighBit")
    if not UID(_transfer_syntax(dataset)).is_compressed and int(dataset.BitsAllocated) == 16:
        dataset.BitsStored, dataset.HighBit = 16, 15
    values: NDArray[Any] = dataset.pixel_array
    dataset.BitsStored, dataset.HighBit = given
    return values


def _within_bits(dataset: pydicom.Dataset, values: NDArray[Any]) -> NDArray[Any]:
    """Return the stored bits of each sample alone (PS3.5, 8.1.1): others may carry anything.

    Overlays, or whatever a writer put there, lay above them in files of old, or below.
    """
    if values.dtype.kind not in "iu" or values.dtype.itemsize > 2:
        return values
    n_bits, n_stored = 8 * values.dtype.itemsize, int(dataset.get("BitsStored") or 0)
    if not 0 < n_stored <= n_bits:
        return values
    is_native = not UID(_transfer_syntax(dataset)).is_compressed
    high_bit = int(dataset.get("HighBit", n_stored - 1)) if is_native else n_stored - 1
    if not n_stored - 1 <= high_bit < n_bits:
        raise CorruptImageError(
            f"the DICOM file has {n_stored} stored bits up to bit {high_bit} of {n_bits}"
        )
    top = values.astype(values.dtype.str.replace("i", "u"), copy=False) << (n_bits - 1 - high_bit)
    signed = bool(int(dataset.get("PixelRepresentation") or 0))
    return top.view(f"i{n_bits // 8}" if signed else top.dtype) >> (n_bits - n_stored)


def _image(
    dataset: pydicom.Dataset, stored: NDArray[Any], *, source_sha256: str, identity: Identity
) -> DecodedImage:
    facts = facts_of(dataset)
    notes: list[str] = []
    if stored.ndim == 3 or dataset.get("PhotometricInterpretation") == "PALETTE COLOR":
        pixels, window, rescale = _colour(dataset, stored, notes), (0.0, 255.0), (1.0, 0.0)
    else:
        pixels, window, rescale = _grey(dataset, stored, notes)
    image = DecodedImage(
        pixels=pixels,
        window=window,
        source_format="DICOM",
        source_sha256=source_sha256,
        bits=8 if pixels.dtype == np.uint8 else max(8, int(pixels.max()).bit_length()),
        rescale=rescale,
        modality=facts.modality,
        view_position=facts.view_position,
        acquisition=facts.acquisition,
        notes=(*facts.notes, *notes),
        identity=identity,
    )
    is_capture = str(dataset.get("SOPClassUID", "")).startswith(SECONDARY_CAPTURE)
    said = said_of_text(
        dataset.get("BurnedInAnnotation"), modality=facts.modality, is_capture=is_capture
    )
    return checked(image, said)


def _colour(dataset: pydicom.Dataset, stored: NDArray[Any], notes: list[str]) -> Pixels:
    if stored.ndim == 2:
        stored = apply_color_lut(stored, dataset)
        notes.append("palette colours applied")
    if stored.dtype == np.uint8:
        return np.ascontiguousarray(stored[..., :3])
    bits = 16 if "palette colours applied" in notes else int(dataset.BitsStored)
    notes.append(f"{bits}-bit colour reduced to 8 bits")
    reduced: NDArray[np.uint8] = (stored[..., :3] >> max(bits - 8, 0)).astype(np.uint8)
    return reduced


def _grey(
    dataset: pydicom.Dataset, stored: NDArray[Any], notes: list[str]
) -> tuple[Pixels, tuple[float, float], tuple[float, float]]:
    """Return unsigned pixels, their window, and slope and intercept back to physical values."""
    values, slope, intercept = _modality_values(dataset, stored, notes)
    padding = _padding(dataset, stored)
    low, high = _voi_window(dataset, notes) or (None, None)
    if low is None and "VOILUTSequence" in dataset:
        values = apply_voi_lut(values, dataset, prefer_lut=True)
        slope, intercept = 1.0, 0.0
        notes.append("the file's VOI table applied")
    inside = values[~padding] if padding.any() and not padding.all() else values
    if padding.any():
        values = np.where(padding, inside.min(), values)
        notes.append("padding shown as background")
    offset = int(min(0, values.min()))
    pixels = _unsigned(values.astype(np.int64) - offset)
    intercept += slope * offset
    if low is None or high is None:
        window = tuple(float(v) - offset for v in np.percentile(inside, PERCENTILES))
        notes.append("no window in the file: set by the image's own range")
    else:
        window = ((low - intercept) / slope, (high - intercept) / slope)
    low_px, high_px = sorted(window)
    if high_px - low_px < 1:
        high_px = low_px + 1
    if dataset.get("PhotometricInterpretation") == "MONOCHROME1":
        top = int(pixels.max())
        pixels = _unsigned(top - pixels.astype(np.int64))
        low_px, high_px = top - high_px, top - low_px
        slope, intercept = -slope, intercept + slope * top
        notes.append("inverted (MONOCHROME1): larger is brighter")
    return pixels, (low_px, high_px), (slope, intercept)


def _modality_values(
    dataset: pydicom.Dataset, stored: NDArray[Any], notes: list[str]
) -> tuple[NDArray[Any], float, float]:
    """Return the values to keep, with slope and intercept to physical units (PS3.3, C.11.1)."""
    if "ModalityLUTSequence" in dataset:
        notes.append("the file's modality table applied")
        return apply_modality_lut(stored, dataset), 1.0, 0.0
    slope = float(dataset.get("RescaleSlope") or 1.0)
    intercept = float(dataset.get("RescaleIntercept") or 0.0)
    if not (abs(slope) <= MOST_PHYSICAL and abs(intercept) <= MOST_PHYSICAL):
        raise CorruptImageError("the DICOM file's rescale values are not sound numbers")
    return stored, slope, intercept


def _voi_window(dataset: pydicom.Dataset, notes: list[str]) -> tuple[float, float] | None:
    """Return (low, high) in physical units (PS3.3, C.11.2.1.2), or None."""
    centre, width = _first(dataset, "WindowCenter"), _first(dataset, "WindowWidth")
    if centre is None or width is None or not (1 <= width <= MOST_PHYSICAL):
        return None
    if not abs(centre) <= MOST_PHYSICAL:
        return None
    function = str(dataset.get("VOILUTFunction", "LINEAR"))
    if function == "LINEAR_EXACT":
        return centre - width / 2, centre + width / 2
    if function == "SIGMOID":
        notes.append("the sigmoid window is shown as a linear one")
    return centre - 0.5 - (width - 1) / 2, centre - 0.5 + (width - 1) / 2


def _first(dataset: pydicom.Dataset, keyword: str) -> float | None:
    value = dataset.get(keyword)
    if value is None or value == "":
        return None
    return float(value[0] if isinstance(value, list | pydicom.multival.MultiValue) else value)


def _padding(dataset: pydicom.Dataset, stored: NDArray[Any]) -> NDArray[np.bool_]:
    """Return where the image is padding (PS3.3, C.7.5.1.1.2)."""
    value = dataset.get("PixelPaddingValue")
    if value is None:
        return np.zeros(stored.shape, dtype=bool)
    limit = dataset.get("PixelPaddingRangeLimit")
    low, high = sorted((int(value), int(value if limit is None else limit)))
    return (stored >= low) & (stored <= high)


def _unsigned(values: NDArray[np.int64]) -> Pixels:
    if values.max() > np.iinfo(np.uint16).max:
        raise UnsupportedFormatError("the image's values span more than 16 bits")
    return values.astype(np.uint8) if values.max() <= 255 else values.astype(np.uint16)


def _transfer_syntax(dataset: pydicom.Dataset) -> str:
    meta = getattr(dataset, "file_meta", None)
    syntax = meta.get("TransferSyntaxUID") if meta is not None else None
    if syntax is None:
        syntax = "1.2.840.10008.1.2"
        dataset.file_meta = pydicom.dataset.FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = UID(syntax)
    return str(syntax)
