"""Telling formats apart by their bytes, never by a file's name."""

from imaging.errors import UnsupportedFormatError

ACCEPTED = "PNG, JPEG, TIFF, WebP and DICOM are accepted"
_MAGIC = (
    ("PNG", b"\x89PNG\r\n\x1a\n"),
    ("JPEG", b"\xff\xd8\xff"),
    ("TIFF", b"II*\x00"),
    ("TIFF", b"MM\x00*"),
    ("TIFF", b"II+\x00"),  # BigTIFF
    ("TIFF", b"MM\x00+"),
)
_REFUSED = (
    ("a PDF document", b"%PDF"),
    ("a GIF picture", b"GIF8"),
    ("a BMP picture", b"BM"),
    ("a ZIP archive", b"PK\x03\x04"),
    ("a gzip archive", b"\x1f\x8b"),
    ("a web page or SVG drawing", b"<"),
    ("JPEG 2000 outside DICOM", b"\x00\x00\x00\x0cjP"),
)
DICOM_PREAMBLE = 128
_BARE_GROUPS = (0x0002, 0x0008)


def detect(data: bytes) -> str:
    """Return "PNG", "JPEG", "TIFF", "WebP" or "DICOM".

    Raises:
        UnsupportedFormatError: If the bytes are something else.
    """
    if not data:
        raise UnsupportedFormatError(f"the file is empty (0 bytes); {ACCEPTED}")
    for name, magic in _MAGIC:
        if data.startswith(magic):
            return name
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    if data[DICOM_PREAMBLE : DICOM_PREAMBLE + 4] == b"DICM" or _is_bare_dicom(data):
        return "DICOM"
    start = data[:256].lstrip(b"\xef\xbb\xbf \t\r\n")
    kind = next((name for name, magic in _REFUSED if start.startswith(magic)), None)
    raise UnsupportedFormatError(f"this is {kind or 'no image that we know'}; {ACCEPTED}")


def has_preamble(data: bytes) -> bool:
    """Return whether DICOM bytes begin with the 128-byte preamble (PS3.10, section 7.1)."""
    return data[DICOM_PREAMBLE : DICOM_PREAMBLE + 4] == b"DICM"


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
