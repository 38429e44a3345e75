"""A decoded image, how its values become greys, and what may be known of whose it is."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import date, timedelta
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

KEY_DIGITS = 32
MOST_DAYS = 3650  # by which a patient's days are moved
Pixels = NDArray[np.uint8] | NDArray[np.uint16]
Window = tuple[float, float]


@dataclass(frozen=True)
class Identity:
    """Whose image it is: by keyed hashes that only this site can compute, once it is `keyed`.

    Attributes:
        patient_key: Groups the images of one patient.
        study_key: Groups the images of one study.
        series_key: Groups the images of one series.
        instance_key: Tells an image again, however it is encoded.
        stack_key: Groups the slices of one series that lie behind one another, each in a file of
            its own.
        acquired_on: The day in ISO 8601, moved back once `keyed`, all of a patient's by as many
            days; None where it or the patient is not known.
    """

    patient_key: str | None = None
    study_key: str | None = None
    series_key: str | None = None
    instance_key: str | None = None
    stack_key: str | None = None
    acquired_on: str | None = None

    def keyed(self, key: bytes) -> "Identity":
        """Return keyed hashes of what the file says; the decoder, which reads it, has no key."""

        def hashed(content: str | None) -> str | None:
            if content is None:
                return None
            return hmac.new(key, content.encode(), hashlib.sha256).hexdigest()[:KEY_DIGITS]

        keys = {name: hashed(told) for name, told in vars(self).items() if name != "acquired_on"}
        return Identity(**keys, acquired_on=self._moved(key))

    def apart(self, pixels_sha256: str) -> "Identity":
        """Return it, once `keyed`, under a name that its pixels have a part in."""
        named = f"{self.instance_key}\x1f{pixels_sha256}".encode()
        return replace(self, instance_key=hashlib.sha256(named).hexdigest()[:KEY_DIGITS])

    def _moved(self, key: bytes) -> str | None:
        """Return the day, moved back as far as the key says for this patient."""
        if self.acquired_on is None or self.patient_key is None:
            return None
        told = f"days\x1f{self.patient_key}".encode()
        drawn = int.from_bytes(hmac.new(key, told, hashlib.sha256).digest()[:8], "big")
        moved = date.fromisoformat(self.acquired_on) - timedelta(days=1 + drawn % MOST_DAYS)
        return moved.isoformat()


@dataclass(frozen=True)
class Place:
    """Where a frame stands among those taken with it.

    Attributes:
        instance_number: Its file's number in the series.
        position_mm: How far along its stack, across the frame's plane.
        orientation: Which way its rows and columns go (PS3.3, C.7.6.2.1.1); empty where not said.
    """

    instance_number: int | None = None
    position_mm: float | None = None
    orientation: tuple[float, ...] = ()


class Curve(StrEnum):
    """The shape between black and white (PS3.3, C.11.2.1.3)."""

    LINEAR = "linear"
    SIGMOID = "sigmoid"


class RangeFrom(StrEnum):
    """Who says which values are black and white."""

    FILE = "file"
    """A window or a table in the file, or values of 8 bits, which have one range only."""
    TABLE = "table"
    """A table of the file, which made the pixels' values: what they were before is not known."""
    IMPORTER = "importer"
    """Whoever brought the file in."""
    CONTAINER = "container"
    """Nobody: all that the file's samples can hold."""


@dataclass(frozen=True)
class Shading:
    """How values become greys beside their window.

    Attributes:
        curve: The shape between the window's ends.
        padding: (lowest, highest) pixel values of what is no part of the picture: black, always.
    """

    curve: Curve = Curve.LINEAR
    padding: tuple[int, int] | None = None

    @classmethod
    def of(cls, acquisition: Mapping[str, object]) -> "Shading":
        """Return the shading of a case by what is kept of its acquisition."""
        kept = acquisition.get("shading")
        if not isinstance(kept, Mapping):
            return cls()
        padding = kept.get("padding")
        return cls(Curve(kept.get("curve", Curve.LINEAR)), tuple(padding) if padding else None)

    def to_json(self) -> dict[str, object]:
        """Return what differs from a plain window; nothing where nothing does."""
        return {key: value for key, value in asdict(self).items() if value != vars(PLAIN)[key]}


PLAIN = Shading()


class Of(StrEnum):
    """What a note of reading is about."""

    RANGE = "range"
    """Where black and white were taken from."""
    VALUES = "values"
    """Values turned, mapped, reduced or left out."""
    SHAPE = "shape"
    """Orientation, frames and the pixels' proportions."""
    HIDDEN = "hidden"
    """What the file would draw over or cover, and is not."""
    CODES = "codes"
    """Facts that were left behind."""
    UNFIT = "unfit"
    """Why this may be no picture to read from."""
    TEXT = "text"
    """Text in the pixels."""


@dataclass(frozen=True)
class Note:
    """One thing to know about how a file was read.

    Attributes:
        of: What it is about.
        words: It, in plain words.
    """

    of: Of
    words: str

    def __str__(self) -> str:
        return self.words


@dataclass(frozen=True)
class DecodedImage:
    """Pixels ready to show, store and predict.

    Attributes:
        pixels: (H, W) uint8 or uint16 grey, or (H, W, 3) uint8 RGB; larger is brighter. Values
            are as stored, but for an offset and a turned sign.
        window: (low, high) in pixel values: the first display window, and what a model sees as
            [0, 1] unless its card says otherwise.
        source_format: "PNG", "DICOM" and so on; see `imaging.formats`.
        source_sha256: SHA-256 of the bytes as received.
        bits: Bits that the values can use, 8 to 16.
        rescale: (slope, intercept): physical value = pixel * slope + intercept.
        shading: The curve, and what is padding.
        range_from: Who says what `window` is.
        windows: All windows that the file offers, in pixel values; the first is `window`.
        pixel_aspect: Height of a pixel over its width.
        modality: DICOM modality.
        view_position: DICOM view position.
        acquisition: Other facts that name nobody: body part, laterality, pixel spacing in mm,
            transfer syntax; what was left behind ("deidentification"), and whether text may be
            burnt into the pixels ("burnt_in_text": suspected, why, boxes).
        notes: What to know of how it was read.
        frame: Which of the file's frames, pages or slices, from 0.
        n_frames: How many the file has.
        place: Where it stands among those taken with it.
        identity: Whose image it is.
    """

    pixels: Pixels
    window: Window
    source_format: str
    source_sha256: str
    bits: int = 8
    rescale: tuple[float, float] = (1.0, 0.0)
    shading: Shading = PLAIN
    range_from: RangeFrom = RangeFrom.FILE
    windows: tuple[Window, ...] = ()
    pixel_aspect: float = 1.0
    modality: str | None = None
    view_position: str | None = None
    acquisition: Mapping[str, object] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()
    frame: int = 0
    n_frames: int = 1
    place: Place = field(default_factory=Place)
    identity: Identity = field(default_factory=Identity)

    @property
    def kept(self) -> dict[str, object]:
        """What a case keeps of how it was taken and is to be shown, JSON-safe."""
        said: dict[str, object] = {
            "shading": self.shading.to_json(),
            "range_from": self.range_from.value,
            "windows": [list(window) for window in self.windows[1:] and self.windows],
            "pixel_aspect": self.pixel_aspect if self.pixel_aspect != 1 else None,
            "notes_of": [note.of.value for note in self.notes],
        }
        return dict(self.acquisition) | {key: value for key, value in said.items() if value}
