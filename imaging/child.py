"""The decoding process: reads requests on stdin, answers on stdout, and can reach nothing else."""

import hashlib
import resource
import sys
from dataclasses import asdict, replace
from typing import Any

from imaging import confined
from imaging.dicom.reading import decode_dicom
from imaging.errors import CorruptImageError, ImagingError, TooLargeError
from imaging.formats import VOLUMES, detect
from imaging.image import DecodedImage, Window
from imaging.limits import Limits
from imaging.messages import Message, receive, send
from imaging.raster import decode_raster
from imaging.volumes import decode_volume


def decode_here(
    data: bytes,
    *,
    limits: Limits,
    identity_key: bytes,
    frame: int | None = None,
    grey_range: Window | None = None,
) -> DecodedImage:
    """Decode in this process; see `imaging.decode.decode`.

    Raises:
        ImagingError: If the bytes are refused.
    """
    image = _decoded(data, limits, frame, grey_range)
    return replace(image, identity=image.identity.keyed(identity_key))


def _decoded(
    data: bytes, limits: Limits, frame: int | None, grey_range: Window | None
) -> DecodedImage:
    """Decode without the site's key: the identity is what the file says."""
    source_format = detect(data)
    asked: dict[str, Any] = {
        "source_sha256": hashlib.sha256(data).hexdigest(),
        "limits": limits,
        "frame": frame,
        "grey_range": grey_range,
    }
    if source_format == "DICOM":
        return decode_dicom(data, **asked)
    decode = decode_volume if source_format in VOLUMES else decode_raster
    return decode(data, source_format=source_format, **asked)


def _answer(header: dict[str, Any], data: bytes) -> Message:
    limits, stated = Limits(**header["limits"]), header["grey_range"]
    try:
        image = _decoded(data, limits, header["frame"], tuple(stated) if stated else None)
    except ImagingError as exc:
        return {"error": type(exc).__name__, "message": str(exc)}, b""
    except MemoryError:
        message = "the image needs more memory than decoding may take"
        return {"error": TooLargeError.__name__, "message": message}, b""
    except Exception:
        message = "the file is damaged in a way that cannot be read"
        return {"error": CorruptImageError.__name__, "message": message}, b""
    facts = {
        name: asdict(value) if name in ("identity", "shading") else value
        for name, value in vars(image).items()
        if name not in ("pixels", "notes")
    }
    facts["notes"] = [asdict(note) for note in image.notes]
    layout = {"dtype": image.pixels.dtype.str, "shape": image.pixels.shape}
    return {"facts": facts, **layout}, image.pixels.tobytes()


def main() -> None:
    """Answer requests until the parent closes the pipe."""
    max_memory = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_AS, (max_memory, max_memory))
    confined.limit()
    confined.confine()
    while (message := receive(sys.stdin.buffer)) is not None:
        send(sys.stdout.buffer, *_answer(*message))


if __name__ == "__main__":
    main()
