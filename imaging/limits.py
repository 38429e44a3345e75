"""How much one file, image or archive may take."""

from dataclasses import dataclass

from imaging.errors import CorruptImageError, TooLargeError

MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Limits:
    """Limits on what comes in.

    Attributes:
        max_bytes: Size of one file.
        max_pixels: Width times height of one image.
        max_seconds: Time to decode one image.
        max_memory_bytes: Memory of the decoding process.
        max_files_in_zip: Members of one archive.
        max_zip_bytes: Size of an archive unpacked.
        max_zip_ratio: Unpacked size over packed size of one member.
    """

    max_bytes: int = 512 * MEGABYTE
    max_pixels: int = 64 * MEGABYTE
    max_seconds: float = 30.0
    max_memory_bytes: int = 4_000 * MEGABYTE
    max_files_in_zip: int = 5_000
    max_zip_bytes: int = 4_000 * MEGABYTE
    max_zip_ratio: float = 200.0


def check_size(width: int, height: int, *, limits: Limits) -> None:
    """Refuse an image by its declared size, before its pixels are decoded.

    Raises:
        TooLargeError: If it has more pixels than the limit.
        CorruptImageError: If it has none.
    """
    if width < 1 or height < 1:
        raise CorruptImageError(f"the image is {width} x {height} pixels")
    if width * height > limits.max_pixels:
        raise TooLargeError(
            f"the image is {width:,} x {height:,} pixels; allowed are {limits.max_pixels:,} in all"
        )
