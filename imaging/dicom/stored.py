"""The stored values of a frame: decompressed, and of each sample the stored bits alone."""

from collections.abc import Callable
from typing import Any

import imagecodecs
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.encaps import get_frame
from pydicom.pixels import convert_color_space, get_decoder, pixel_array
from pydicom.uid import UID

from imaging.errors import CorruptImageError, ImagingError
from imaging.image import Note, Of

Values = NDArray[Any]
# Codecs that pydicom has no permissively licensed plugin for (PS3.5, annex A.4).
OWN_CODECS: dict[str, Callable[..., Values]] = {
    "1.2.840.10008.1.2.4.51": imagecodecs.jpeg_decode,
    "1.2.840.10008.1.2.4.57": imagecodecs.jpegsof3_decode,
    "1.2.840.10008.1.2.4.70": imagecodecs.jpegsof3_decode,
    "1.2.840.10008.1.2.4.110": imagecodecs.jpegxl_decode,
    "1.2.840.10008.1.2.4.111": imagecodecs.jpegxl_decode,
    "1.2.840.10008.1.2.4.112": imagecodecs.jpegxl_decode,
}


def can_decode(syntax: str) -> bool:
    """Return whether pixels of a transfer syntax can be read."""
    uid = UID(syntax)
    if syntax in OWN_CODECS or (uid.is_transfer_syntax and not uid.is_encapsulated):
        return True
    try:
        return bool(get_decoder(uid).is_available)
    except NotImplementedError:
        return False


def stored_values(dataset: Dataset, frame: int, notes: list[Note]) -> Values:
    """Return a frame's (H, W) or (H, W, 3) values as stored, colour as RGB.

    Raises:
        CorruptImageError: If what is coded is not what the data set says.
    """
    syntax = str(dataset.file_meta.TransferSyntaxUID)
    try:
        if syntax in OWN_CODECS:
            values = _own(dataset, frame, OWN_CODECS[syntax], notes)
        else:
            values = _by_pydicom(dataset, frame)
    except ImagingError:
        raise
    except Exception as exc:  # each codec has errors of its own
        raise CorruptImageError(
            "the pixels of the DICOM file cannot be decoded: they are truncated or damaged, or "
            "others than its header describes"
        ) from exc
    return _within_bits(dataset, values)


def _own(dataset: Dataset, frame: int, decoder: Callable[..., Values], notes: list[Note]) -> Values:
    coded = get_frame(
        dataset.PixelData, frame, number_of_frames=int(dataset.get("NumberOfFrames") or 1)
    )
    kind = str(dataset.get("PhotometricInterpretation", ""))
    as_rgb = {"colorspace": "RGB", "outcolorspace": "RGB"}
    is_plain_rgb = decoder is imagecodecs.jpeg_decode and kind == "RGB"
    values = decoder(coded, **(as_rgb if is_plain_rgb else {}))
    if values.shape[:2] != (dataset.Rows, dataset.Columns):
        raise CorruptImageError(
            f"the compressed image is {values.shape[1]} x {values.shape[0]} pixels; the DICOM "
            f"header says {dataset.Columns} x {dataset.Rows}"
        )
    if decoder is imagecodecs.jpegsof3_decode and kind.startswith("YBR_FULL"):
        notes.append(Note(Of.VALUES, f"converted from {kind} to RGB"))
        values = convert_color_space(values, "YBR_FULL", "RGB")
    return values


def _by_pydicom(dataset: Dataset, frame: int) -> Values:
    """Return what pydicom decodes; of uncompressed samples all bits, wherever the stored ones lie.

    pydicom takes the lowest bits whatever HighBit says.
    """
    given = dataset.get("BitsStored"), dataset.get("HighBit")
    allocated = int(dataset.BitsAllocated)
    if _is_native(dataset):
        _insist_length(dataset, allocated)
    if _is_native(dataset) and allocated in (8, 16):
        dataset.BitsStored, dataset.HighBit = allocated, allocated - 1
    values: Values = pixel_array(dataset, index=frame)
    dataset.BitsStored, dataset.HighBit = given
    return values


def _insist_length(dataset: Dataset, allocated: int) -> None:
    n_samples = int(dataset.get("SamplesPerPixel") or 1)
    if dataset.get("PhotometricInterpretation") == "YBR_FULL_422":
        n_samples = 2  # two luminances share their chrominances
    n_frames = int(dataset.get("NumberOfFrames") or 1)
    n_bits = int(dataset.Rows) * int(dataset.Columns) * n_samples * allocated * n_frames
    if (has := len(dataset.PixelData)) < (wants := (n_bits + 7) // 8):
        raise CorruptImageError(
            f"the DICOM file is truncated: it has {has:,} bytes of pixels, its header describes "
            f"{wants:,}"
        )


def _within_bits(dataset: Dataset, values: Values) -> Values:
    """Return the stored bits of each sample alone (PS3.5, 8.1.1): others may carry anything.

    Overlays, or whatever a writer put there, lay above them in files of old, or below.
    """
    if values.dtype.kind not in "iu" or values.dtype.itemsize > 2 or dataset.BitsAllocated == 1:
        return values
    n_bits, n_stored = 8 * values.dtype.itemsize, int(dataset.get("BitsStored") or 0)
    if not 0 < n_stored <= n_bits:
        return values
    high_bit = int(dataset.get("HighBit", n_stored - 1)) if _is_native(dataset) else n_stored - 1
    if not n_stored - 1 <= high_bit < n_bits:
        raise CorruptImageError(
            f"the DICOM file has {n_stored} stored bits up to bit {high_bit} of {n_bits}"
        )
    top = values.astype(values.dtype.str.replace("i", "u"), copy=False) << (n_bits - 1 - high_bit)
    signed = bool(int(dataset.get("PixelRepresentation") or 0))
    return top.view(f"i{n_bits // 8}" if signed else top.dtype) >> (n_bits - n_stored)


def _is_native(dataset: Dataset) -> bool:
    return not UID(str(dataset.file_meta.TransferSyntaxUID)).is_compressed
