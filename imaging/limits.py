"""How much one file, image or archive may take."""

from dataclasses import dataclass

from imaging.errors import CorruptImageError, TooLargeError, UnsupportedFormatError

MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Limits:
    """Limits on what comes in.

    Attributes:
        max_bytes: Size of one file.
        max_pixels: Width times height of one image.
        max_frames: Frames of one file.
        max_stack_pixels: Width times height of all frames of one file.
        max_seconds: Time to decode one image.
        max_memory_bytes: Memory of the decoding process.
        max_files_in_zip: Members of one archive.
        max_zip_bytes: Size of an archive unpacked.
        max_zip_ratio: Unpacked size over packed size of one member.
    """

    max_bytes: int = 512 * MEGABYTE
    max_pixels: int = 64 * MEGABYTE
    max_frames: int = 2_000
    max_stack_pixels: int = 1_000 * MEGABYTE
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


def check_frames(n_frames: int, width: int, height: int, *, limits: Limits) -> None:
    """Refuse a file by its declared number of frames.

    Raises:
        TooLargeError: If it has more, or more pixels in all of them, than the limits.
    """
    if n_frames > limits.max_frames or n_frames * width * height > limits.max_stack_pixels:
        raise TooLargeError(
            f"the file holds {n_frames:,} images of {width:,} x {height:,} pixels; allowed are "
            f"{limits.max_frames:,}, and {limits.max_stack_pixels:,} pixels in all of them"
        )


def key_frame(frame: int | None, n_frames: int) -> int:
    """Return the frame that is asked for; of several that nobody chose from, the middle one.

    Raises:
        UnsupportedFormatError: If there is none of this number.
    """
    if frame is None:
        return n_frames // 2
    if not 0 <= frame < n_frames:
        raise UnsupportedFormatError(f"there is no frame {frame}; the file holds {n_frames}")
    return frame
