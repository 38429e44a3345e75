"""A decoded image, and what may be known of whose it is."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

KEY_DIGITS = 32
Pixels = NDArray[np.uint8] | NDArray[np.uint16]


@dataclass(frozen=True)
class Identity:
    """Whose image it is: by keyed hashes that only this site can compute, once it is `keyed`.

    Attributes:
        patient_key: Groups the images of one patient.
        study_key: Groups the images of one study.
        series_key: Groups the images of one series.
    """

    patient_key: str | None = None
    study_key: str | None = None
    series_key: str | None = None

    def keyed(self, key: bytes) -> "Identity":
        """Return keyed hashes of what the file says; the decoder, which reads it, has no key."""

        def hashed(content: str | None) -> str | None:
            if content is None:
                return None
            return hmac.new(key, content.encode(), hashlib.sha256).hexdigest()[:KEY_DIGITS]

        return Identity(*(hashed(content) for content in vars(self).values()))


@dataclass(frozen=True)
class DecodedImage:
    """Pixels ready to show, store and predict.

    Attributes:
        pixels: (H, W) uint8 or uint16 grey, or (H, W, 3) uint8 RGB; larger is brighter.
        window: (low, high) in pixel values: the first display window, and what a model sees as
            [0, 1].
        source_format: "PNG", "JPEG", "TIFF", "WebP" or "DICOM".
        source_sha256: SHA-256 of the bytes as received.
        bits: Bits that the values use, 8 to 16.
        rescale: (slope, intercept): physical value = pixel * slope + intercept.
        modality: DICOM modality.
        view_position: DICOM view position.
        acquisition: Other facts that name nobody: body part, laterality, pixel spacing in mm,
            transfer syntax; what was left behind ("deidentification"), and whether text may be
            burnt into the pixels ("burnt_in_text": suspected, why, boxes).
        notes: What was changed on the way in, in plain words.
        identity: Whose image it is.
    """

    pixels: Pixels
    window: tuple[float, float]
    source_format: str
    source_sha256: str
    bits: int = 8
    rescale: tuple[float, float] = (1.0, 0.0)
    modality: str | None = None
    view_position: str | None = None
    acquisition: Mapping[str, object] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    identity: Identity = field(default_factory=Identity)
