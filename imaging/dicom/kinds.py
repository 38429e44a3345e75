"""What a DICOM file is, and whether it can be read: refusals say which, in true words."""

from pydicom import Dataset
from pydicom.uid import UID, UID_dictionary

from imaging.dicom.stored import can_decode
from imaging.errors import CorruptImageError, UnsupportedFormatError
from imaging.limits import Limits, check_size

# Have pixels, and yet are no images to read (PS3.4, B.5).
NO_IMAGES = {
    "1.2.840.10008.5.1.4.1.1.66.4": "a segmentation of another image",
    "1.2.840.10008.5.1.4.1.1.66.7": "a segmentation of another image",
    "1.2.840.10008.5.1.4.1.1.66.8": "a segmentation of another image",
    "1.2.840.10008.5.1.4.1.1.481.2": "a radiotherapy dose",
    "1.2.840.10008.5.1.4.1.1.30": "a parametric map",
}
DIRECTORY = "1.2.840.10008.1.3.10"


def insist_image(dataset: Dataset, limits: Limits) -> None:
    """Refuse what is no image, or one that cannot be decoded.

    Raises:
        UnsupportedFormatError: If it is something else, or of a kind that is not supported.
        TooLargeError: If it has too many pixels.
        CorruptImageError: If what describes its pixels is missing.
    """
    kind = str(dataset.get("SOPClassUID") or "")
    if dataset.file_meta.get("MediaStorageSOPClassUID") == DIRECTORY:
        raise UnsupportedFormatError("this is a DICOMDIR: a list of files, without an image")
    if kind in NO_IMAGES:
        raise UnsupportedFormatError(f"the DICOM file is {NO_IMAGES[kind]}, no image to read")
    if "PixelData" not in dataset:
        raise UnsupportedFormatError(_why_no_pixels(dataset, kind))
    syntax = str(dataset.file_meta.TransferSyntaxUID)
    if not can_decode(syntax):
        raise UnsupportedFormatError(f"transfer syntax {_name(syntax)} is not supported")
    if missing := [k for k in ("Rows", "Columns", "BitsAllocated") if not dataset.get(k)]:
        raise CorruptImageError(f"the DICOM file lacks {', '.join(missing)}")
    check_size(int(dataset.Columns), int(dataset.Rows), limits=limits)
    bits, is_colour = int(dataset.BitsAllocated), int(dataset.get("SamplesPerPixel") or 1) > 1
    if bits not in (1, 8, 16) and not (bits == 32 and is_colour):
        raise UnsupportedFormatError(
            f"the DICOM file has {bits} bits a sample; allowed are 1, 8 and 16"
        )


def _why_no_pixels(dataset: Dataset, kind: str) -> str:
    if "FloatPixelData" in dataset or "DoubleFloatPixelData" in dataset:
        return "the DICOM file holds floating-point pixels; allowed are whole numbers"
    if "PixelDataProviderURL" in dataset:
        return "the DICOM file holds no pixels: they lie on a server that it names"
    known = UID_dictionary.get(kind)
    what = f" ({known[0].removesuffix(' Storage')})" if known else ""
    return f"the DICOM file{what} holds no image (no PixelData)"


def _name(syntax: str) -> str:
    known = UID_dictionary.get(syntax)
    return UID(syntax).name if known else "of an unknown or private kind"
