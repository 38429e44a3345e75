"""Errors of the imaging room; each message is fit to show to whoever uploaded the file."""


class ImagingError(Exception):
    """Base of everything that is refused about an image: what is wrong, and what to do."""


class UnsupportedFormatError(ImagingError):
    """The bytes are of a kind that is not accepted."""


class CorruptImageError(ImagingError):
    """The bytes begin like an image but cannot be read as one."""


class TooLargeError(ImagingError):
    """The file, its pixels or its archive exceed a limit."""


class DecodeTimeoutError(ImagingError):
    """Decoding took longer than the limit."""


class MaskError(ImagingError):
    """A mask is none, or lies outside the picture."""
