"""Telling formats apart by their bytes, never by a file's name."""

import zlib

from imaging.errors import UnsupportedFormatError

ACCEPTED = (
    "PNG, JPEG, TIFF, WebP, JPEG 2000, GIF, BMP, AVIF, NIfTI, NRRD, MetaImage and DICOM are "
    "accepted"
)
JPEG_2000, NIFTI, META_IMAGE = "JPEG 2000", "NIfTI", "MetaImage"
VOLUMES = frozenset({NIFTI, "NRRD", META_IMAGE})
_MAGIC = (
    ("PNG", b"\x89PNG\r\n\x1a\n"),
    ("JPEG", b"\xff\xd8\xff"),
    ("TIFF", b"II*\x00"),
    ("TIFF", b"MM\x00*"),
    ("TIFF", b"II+\x00"),  # BigTIFF
    ("TIFF", b"MM\x00+"),
    (JPEG_2000, b"\x00\x00\x00\x0cjP  \r\n\x87\n"),
    (JPEG_2000, b"\xff\x4f\xff\x51"),
    ("GIF", b"GIF87a"),
    ("GIF", b"GIF89a"),
    ("NRRD", b"NRRD000"),
    (META_IMAGE, b"ObjectType"),
    (META_IMAGE, b"NDims"),
)
_REFUSED = (
    ("a PDF document", b"%PDF"),
    ("a PostScript document", b"%!PS"),
    ("a ZIP archive", b"PK\x03\x04"),
    ("a RAR archive", b"Rar!"),
    ("a 7z archive", b"7z\xbc\xaf\x27\x1c"),
    ("an xz archive", b"\xfd7zXZ"),
    ("a gzip archive", b"\x1f\x8b"),
    ("a Photoshop picture", b"8BPS"),
    ("an HDF5 file", b"\x89HDF"),
    ("a MATLAB file", b"MATLAB"),
    ("a NumPy array", b"\x93NUMPY"),
    ("JPEG XL", b"\xff\x0a"),
    ("JPEG XL", b"\x00\x00\x00\x0cJXL "),
    ("an OpenEXR picture", b"v/1\x01"),
    ("an Office document of old", b"\xd0\xcf\x11\xe0"),
    ("a web page or SVG drawing", b"<"),
)
_BRANDS = {b"avif": "AVIF", b"avis": "AVIF"}  # of ISO media files, ISO/IEC 14496-12
_HEIF = (b"heic", b"heix", b"mif1", b"msf1")
DICOM_PREAMBLE = 128
_BARE_GROUPS = (0x0002, 0x0008)


def detect(data: bytes) -> str:
    """Return the name of a file's format, as `ACCEPTED` has it.

    Raises:
        UnsupportedFormatError: If the bytes are something else.
    """
    if not data:
        raise UnsupportedFormatError(f"the file is empty (0 bytes); {ACCEPTED}")
    if has_preamble(data):  # whatever the preamble looks like: PS3.10, 7.1 lets it be a TIFF's
        return "DICOM"
    for name, magic in _MAGIC:
        if data.startswith(magic):
            return name
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    if data[:2] == b"BM" and data[6:10] == bytes(4):
        return "BMP"
    if data[4:8] == b"ftyp" and data[8:12] in _BRANDS:
        return _BRANDS[data[8:12]]
    if _is_nifti(data) or (data[:2] == b"\x1f\x8b" and _is_nifti(_start_of(data))):
        return NIFTI
    if _is_bare_dicom(data):
        return "DICOM"
    raise UnsupportedFormatError(f"this is {_named(data) or 'no image that we know'}; {ACCEPTED}")


def has_preamble(data: bytes) -> bool:
    """Return whether DICOM bytes begin with the 128-byte preamble (PS3.10, section 7.1)."""
    return data[DICOM_PREAMBLE : DICOM_PREAMBLE + 4] == b"DICM"


def _is_nifti(data: bytes) -> bool:
    return data[344:348] == b"n+1\0" or data[4:8] == b"n+2\0"


def _start_of(packed: bytes) -> bytes:
    """Return the first bytes that a gzip archive holds, as far as they can be read."""
    try:
        return zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(packed, 512)
    except zlib.error:
        return b""


def _named(data: bytes) -> str | None:
    if data[4:8] == b"ftyp":
        return "a HEIF picture" if data[8:12] in _HEIF else "a video"
    if data[344:348] in (b"ni1\0", b"ni2\0"):
        return "a NIfTI header whose pixels are in another file"
    start = data[:256].lstrip(b"\xef\xbb\xbf \t\r\n")
    return next((name for name, magic in _REFUSED if start.startswith(magic)), None)


def _is_bare_dicom(data: bytes) -> bool:
    """Recognise a data set without preamble: a first element of group 2 or 8, plausibly long."""
    if len(data) < 16:
        return False
    for order in ("little", "big"):
        group = int.from_bytes(data[:2], order)
        element = int.from_bytes(data[2:4], order)
        if group in _BARE_GROUPS and element <= 0x0018:
            explicit = data[4:6].isalpha() and data[4:6].isupper()
            length = int.from_bytes(data[4:8], order)
            return explicit or length <= 64
    return False
