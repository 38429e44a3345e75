"""What a data set says that a reader has to know and a picture does not show."""

from collections.abc import Iterator

from pydicom import Dataset

from imaging.deidentify import is_localizer
from imaging.image import Note, Of

OVERLAYS = range(0x6000, 0x6100, 2)  # PS3.5, 7.6
CURVES = range(0x5000, 0x5100, 2)
_DATA, _BITS, _ROWS = 0x3000, 0x0100, 0x0010


def of(dataset: Dataset) -> tuple[Note, ...]:
    """Return what the file would draw or cover, and why it may be no picture to read from."""
    return tuple([*_hidden(dataset), *_unfit(dataset)])


def _hidden(dataset: Dataset) -> Iterator[Note]:
    groups = [group for group in OVERLAYS if (group, _ROWS) in dataset or (group, _DATA) in dataset]
    if groups:
        n = f"{len(groups)} overlays" if len(groups) > 1 else "an overlay"
        are = "are" if len(groups) > 1 else "is"
        yield Note(Of.HIDDEN, f"the file has {n} (marks, outlines or text), which {are} not shown")
    if any((group, _DATA) in dataset for group in CURVES):
        yield Note(Of.HIDDEN, "the file has a curve, which is not shown")
    if dataset.get("ShutterShape") or "FrameDisplayShutterSequence" in dataset:
        yield Note(
            Of.HIDDEN, "the file's shutter is not applied: what it would cover is shown, too"
        )
    if str(dataset.get("PixelPresentation", "")).strip() in ("COLOR", "MIXED"):
        yield Note(Of.HIDDEN, "the file's supplemental colours are not shown")
    if dataset.get("VOILUTSequence") and dataset.get("WindowWidth") not in (None, ""):
        yield Note(Of.RANGE, "the file offers a VOI table beside its window: not applied")


def _unfit(dataset: Dataset) -> Iterator[Note]:
    if str(dataset.get("PresentationIntentType", "")).strip().upper() == "FOR PROCESSING":
        yield Note(Of.UNFIT, "FOR PROCESSING: the detector's values, not meant to be read from")
    if is_localizer(dataset):
        yield Note(Of.UNFIT, "a localizer: taken to plan other images, not meant to be read from")
    if str(dataset.get("LossyImageCompression", "")).strip() == "01":
        yield Note(Of.UNFIT, "compressed with loss before it came")
