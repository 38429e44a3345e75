"""Which kinds of things a picture file carried beside its pixels: their names, never a value.

Names come from closed lists; what a file calls its own parts could name somebody.
"""

import struct
from collections.abc import Iterator

PNG_PIXELS = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"sBIT", b"bKGD", b"hIST"})
PNG_KINDS = {
    b"tEXt": "PNG text",
    b"zTXt": "PNG text",
    b"iTXt": "PNG text",
    b"eXIf": "EXIF",
    b"iCCP": "ICC profile",
    b"tIME": "PNG time",
    b"pHYs": "PNG physical size",
}
JPEG_TABLES = frozenset({0xC4, 0xDB, 0xDD, 0xDC, 0xCC, *range(0xC0, 0xC4), *range(0xC5, 0xCC)})
JPEG_STARTS = (
    (b"Exif\0", "EXIF"),
    (b"http://ns.adobe.com/", "XMP"),
    (b"ICC_PROFILE\0", "ICC profile"),
    (b"Photoshop 3.0\0", "Photoshop and IPTC"),
    (b"JFIF\0", ""),
    (b"JFXX\0", "JFIF thumbnail"),
    (b"Adobe\0", ""),
)
WEBP_PIXELS = frozenset({b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF"})
WEBP_KINDS = {b"EXIF": "EXIF", b"XMP ": "XMP", b"ICCP": "ICC profile"}
TIFF_PIXELS = frozenset(
    {254, 255, 256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 280, 281, 282, 283, 284, 296}
    | {317, 320, 322, 323, 324, 325, 338, 339, 347, 530, 531, 532}
)
TIFF_KINDS = {700: "XMP", 33723: "IPTC", 34377: "Photoshop", 34665: "EXIF", 34675: "ICC profile"}
TIFF_KINDS |= {34853: "GPS"} | dict.fromkeys(
    (269, 270, 271, 272, 285, 305, 306, 315, 316, 33432, 37510), "TIFF text"
)
OTHER = {"PNG": "other PNG chunks", "TIFF": "other TIFF tags", "WebP": "other WebP chunks"}
BEHIND = "bytes behind the picture"


def kinds_left_behind(data: bytes, source_format: str) -> list[str]:
    """Return the kinds of things beside its pixels that a file carries, in order of their names.

    Args:
        data: The file.
        source_format: "PNG", "JPEG", "TIFF" or "WebP"; of others nothing is told.
    """
    walk = {"PNG": _png, "JPEG": _jpeg, "TIFF": _tiff, "WebP": _webp}.get(source_format)
    kinds: set[str] = set()
    try:
        for kind in walk(data) if walk else ():
            kinds.add(kind)
    except (struct.error, IndexError, KeyError):
        kinds.add(f"parts of a damaged {source_format} file")
    return sorted(kinds - {""})


def record(data: bytes, source_format: str) -> dict[str, object]:
    """Return how a picture file was de-identified, as `imaging.deidentify` has it for DICOM."""
    kinds = kinds_left_behind(data, source_format)
    shape: dict[str, object] = {"methods": [], "replaced": [], "not_listed": []}
    return shape | {"removed": kinds, "n_removed": len(kinds)}


def _png(data: bytes) -> Iterator[str]:
    at = 8
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        if kind not in PNG_PIXELS:
            is_xmp = data[at + 8 :].startswith(b"XML:com.adobe.xmp\0")
            yield "XMP" if is_xmp else PNG_KINDS.get(kind, OTHER["PNG"])
        at += 12 + length
        if kind == b"IEND":
            break
    if at < len(data):
        yield BEHIND


def _jpeg(data: bytes) -> Iterator[str]:
    at = 2
    while at < len(data):
        marker = data[at + 1]
        if data[at] != 0xFF or marker == 0xFF:
            at += 1
            continue
        if marker == 0xD9:
            if at + 2 < len(data):
                yield BEHIND
            return
        if marker == 0x00 or 0xD0 <= marker <= 0xD8:
            at += 2
            continue
        (length,) = struct.unpack_from(">H", data, at + 2)
        if marker == 0xDA:
            at = _end_of_scan(data, at + 2 + length)
            continue
        if marker == 0xFE:
            yield "comments"
        elif marker not in JPEG_TABLES:
            content = data[at + 4 : at + 40]
            named = (name for start, name in JPEG_STARTS if content.startswith(start))
            yield next(named, "other JPEG segments")
        at += 2 + length


def _end_of_scan(data: bytes, at: int) -> int:
    """Return where the next marker stands behind coded pixels."""
    while (at := data.find(b"\xff", at)) >= 0:
        if data[at + 1] and not 0xD0 <= data[at + 1] <= 0xD7:
            return at
        at += 2
    return len(data)


def _webp(data: bytes) -> Iterator[str]:
    end = 8 + struct.unpack_from("<I", data, 4)[0]
    at = 12
    while at + 8 <= min(end, len(data)):
        kind, length = struct.unpack_from("<4sI", data, at)
        if kind not in WEBP_PIXELS:
            yield WEBP_KINDS.get(kind, OTHER["WebP"])
        at += 8 + length + length % 2
    if end + end % 2 < len(data):
        yield BEHIND


def _tiff(data: bytes) -> Iterator[str]:
    order = "<" if data[:2] == b"II" else ">"
    if struct.unpack_from(order + "H", data, 2)[0] != 42:
        yield OTHER["TIFF"]  # BigTIFF: its directory is not walked
        return
    (at,) = struct.unpack_from(order + "I", data, 4)
    (n_tags,) = struct.unpack_from(order + "H", data, at)
    for number in range(n_tags):
        (tag,) = struct.unpack_from(order + "H", data, at + 2 + 12 * number)
        if tag not in TIFF_PIXELS:
            yield TIFF_KINDS.get(tag, OTHER["TIFF"])
    if struct.unpack_from(order + "I", data, at + 2 + 12 * n_tags)[0]:
        yield "further pages"
