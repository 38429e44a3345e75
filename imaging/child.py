"""The decoding process: reads requests on stdin, answers on stdout, and can reach nothing else."""

import hashlib
import resource
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

from imaging import confined
from imaging.dicom.reading import decode_dicom, dicom_frames
from imaging.errors import CorruptImageError, ImagingError, TooLargeError
from imaging.formats import VOLUMES, detect
from imaging.image import DecodedImage, Window
from imaging.limits import Limits
from imaging.messages import Message, receive, send
from imaging.raster import decode_raster
from imaging.volumes import decode_volume, volume_slices


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
    source_format, asked = _asked(data, limits, grey_range)
    if source_format == "DICOM":
        return decode_dicom(data, frame=frame, **asked)
    decode = decode_volume if source_format in VOLUMES else decode_raster
    return decode(data, source_format=source_format, frame=frame, **asked)


def _all_decoded(data: bytes, limits: Limits, grey_range: Window | None) -> Iterator[DecodedImage]:
    """Decode every frame that belongs to a case, the one that it shows first."""
    source_format, asked = _asked(data, limits, grey_range)
    if source_format == "DICOM":
        yield from dicom_frames(data, **asked)
    elif source_format in VOLUMES:
        yield from volume_slices(data, source_format=source_format, **asked)
    else:
        image = decode_raster(data, source_format=source_format, **asked)
        yield replace(image, n_frames=1)  # of several pages the first is the picture


def _asked(data: bytes, limits: Limits, grey_range: Window | None) -> tuple[str, dict[str, Any]]:
    sha256 = hashlib.sha256(data).hexdigest()
    return detect(data), {"source_sha256": sha256, "limits": limits, "grey_range": grey_range}


def _answers(header: dict[str, Any], data: bytes) -> Iterator[Message]:
    """Yield a message for each frame that is asked for, or at last one that says what is wrong."""
    limits, stated = Limits(**header["limits"]), header["grey_range"]
    grey_range = tuple(stated) if stated else None
    try:
        if header["all_frames"]:
            yield from map(_message, _all_decoded(data, limits, grey_range))
        else:
            yield _message(_decoded(data, limits, header["frame"], grey_range))
    except ImagingError as exc:
        yield {"error": type(exc).__name__, "message": str(exc)}, b""
    except MemoryError:
        message = "the image needs more memory than decoding may take"
        yield {"error": TooLargeError.__name__, "message": message}, b""
    except Exception:
        message = "the file is damaged in a way that cannot be read"
        yield {"error": CorruptImageError.__name__, "message": message}, b""


def _message(image: DecodedImage) -> Message:
    as_dicts = ("identity", "shading", "place")
    facts = {
        name: asdict(value) if name in as_dicts else value
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
        for answer in _answers(*message):
            send(sys.stdout.buffer, *answer)


if __name__ == "__main__":
    main()
