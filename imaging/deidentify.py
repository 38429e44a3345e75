"""What is kept of a DICOM data set beside its pixels, and a record of what was left behind.

Nothing is copied and then cleaned: a short list of facts is read out, each by a closed set of
values or as a number within bounds, and all else stays in the decoding process. Attributes are
named by their keywords (PS3.6).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from pydicom import Dataset
from pydicom.datadict import keyword_for_tag
from pydicom.tag import BaseTag
from pydicom.uid import UID, UID_dictionary

from imaging.image import Identity, Note, Of
from imaging.value_sets import VALUES, standard_value, terms

MAX_NAMES = 300
MAX_DEPTH = 8
SPACING_MM = (1e-5, 100.0)
# PS3.16, CID 7050. The options to retain something do not apply: nothing is retained beyond what
# the basic profile allows. That pixels are clean is claimed once a person has confirmed masks.
METHODS = (
    {"code": "113100", "scheme": "DCM", "meaning": "Basic Application Confidentiality Profile"},
)
CLEAN_PIXELS = {"code": "113101", "scheme": "DCM", "meaning": "Clean Pixel Data Option"}
# Groups a patient's images without naming anybody: replaced by keyed hashes.
REPLACED = ("PatientID", "IssuerOfPatientID", "StudyInstanceUID", "SeriesInstanceUID")
PIXEL_ATTRIBUTES = terms("""
    Rows Columns BitsAllocated BitsStored HighBit PixelRepresentation SamplesPerPixel
    PhotometricInterpretation PlanarConfiguration NumberOfFrames PixelData PixelPaddingValue
    PixelPaddingRangeLimit RescaleSlope RescaleIntercept WindowCenter WindowWidth VOILUTFunction
    ModalityLUTSequence VOILUTSequence LUTDescriptor LUTData PixelSpacing ImagerPixelSpacing
    PixelAspectRatio SharedFunctionalGroupsSequence PerFrameFunctionalGroupsSequence
    PixelMeasuresSequence PixelValueTransformationSequence FrameVOILUTSequence
    SegmentedRedPaletteColorLookupTableData SegmentedGreenPaletteColorLookupTableData
    SegmentedBluePaletteColorLookupTableData
    RedPaletteColorLookupTableDescriptor GreenPaletteColorLookupTableDescriptor
    BluePaletteColorLookupTableDescriptor RedPaletteColorLookupTableData
    GreenPaletteColorLookupTableData BluePaletteColorLookupTableData BurnedInAnnotation
    PresentationIntentType TransferSyntaxUID FileMetaInformationGroupLength
    FileMetaInformationVersion
""")
SYNTAX = "Transfer Syntax"
# What is read of functional groups, a sequence each, and what a single image calls it.
GROUPS: dict[str, dict[str, str]] = {
    "PixelMeasuresSequence": {"PixelSpacing": "PixelSpacing"},
    "PixelValueTransformationSequence": {
        "RescaleSlope": "RescaleSlope",
        "RescaleIntercept": "RescaleIntercept",
    },
    "FrameVOILUTSequence": {
        "WindowCenter": "WindowCenter",
        "WindowWidth": "WindowWidth",
        "VOILUTFunction": "VOILUTFunction",
        "VOILUTSequence": "VOILUTSequence",
    },
    "FrameAnatomySequence": {"FrameLaterality": "ImageLaterality"},
}
ASPECTS = (0.05, 20.0)
SQUARE = 0.01  # pixels that differ by less are drawn square


@dataclass(frozen=True)
class Facts:
    """What is kept of a data set; `acquisition` is JSON-safe, see `imaging.image.DecodedImage`."""

    modality: str | None
    view_position: str | None
    acquisition: dict[str, object]
    pixel_aspect: float
    notes: tuple[Note, ...]


def facts_of(dataset: Dataset) -> Facts:
    """Return what may be kept of a data set, with the record of what was not."""
    codes = {keyword: standard_value(keyword, dataset.get(keyword)) for keyword in VALUES}
    not_listed = [key for key, code in codes.items() if code is None and dataset.get(key)]
    acquisition = {
        "transfer_syntax": _transfer_syntax(dataset),
        "body_part": codes["BodyPartExamined"],
        "laterality": codes["ImageLaterality"] or codes["Laterality"],
        "pixel_spacing_mm": (spacing := _spacing(dataset)),
        "deidentification": _record(dataset, not_listed),
    }
    notes = []
    if not_listed:
        words = f"left out, being none of the standard's values: {', '.join(not_listed)}"
        notes.append(Note(Of.CODES, words))
    aspect = _aspect(dataset, spacing)
    if aspect != 1:
        notes.append(Note(Of.SHAPE, f"pixels are {aspect:.4g} times as tall as wide: drawn so"))
    return Facts(
        modality=codes["Modality"],
        view_position=codes["ViewPosition"],
        acquisition={key: value for key, value in acquisition.items() if value},
        pixel_aspect=aspect,
        notes=tuple(notes),
    )


def identity_of(dataset: Dataset) -> Identity:
    """Return what tells whose image it is, to be `keyed`."""

    def told(*keywords: str) -> str | None:
        values = [str(dataset.get(keyword) or "").strip() for keyword in keywords]
        return "\x1f".join((keywords[0], *values)) if values[0] else None

    return Identity(
        patient_key=told("PatientID", "IssuerOfPatientID"),
        study_key=told("StudyInstanceUID"),
        series_key=told("SeriesInstanceUID"),
    )


def with_pixels_cleaned(record: object, *, confirmed_by: str, n_masks: int) -> dict[str, object]:
    """Return a record of de-identification that says that parts of the picture were blacked out.

    Args:
        record: The record as it was; None where the case has none.
        confirmed_by: Who confirmed the masks.
        n_masks: How many there are in all.
    """
    before = dict(record) if isinstance(record, dict) else {}
    methods = [method for method in before.get("methods", []) if method != CLEAN_PIXELS]
    cleaned = {"confirmed_by": confirmed_by, "n_masks": n_masks}
    return before | {"methods": [*methods, dict(CLEAN_PIXELS)], "pixels": cleaned}


def _transfer_syntax(dataset: Dataset) -> str | None:
    uid = UID(str(dataset.file_meta.TransferSyntaxUID))
    known = UID_dictionary.get(uid)
    return uid.name if known is not None and known[1] == SYNTAX else None


def _spacing(dataset: Dataset) -> list[float] | None:
    """Return the distance of (rows, columns) in mm, where both are numbers that can be true."""
    given = dataset.get("PixelSpacing") or dataset.get("ImagerPixelSpacing")
    try:
        spacing = [float(value) for value in given or ()]
    except (TypeError, ValueError):
        return None
    low, high = SPACING_MM
    sound = len(spacing) == 2 and all(math.isfinite(v) and low <= v <= high for v in spacing)
    return spacing if sound else None


def _aspect(dataset: Dataset, spacing: list[float] | None) -> float:
    """Return a pixel's height over its width, by its spacing or else its ratio; 1 is square."""
    given = spacing or dataset.get("PixelAspectRatio") or (1, 1)
    try:
        height, width = (float(value) for value in given)
        aspect = height / width
    except (TypeError, ValueError, ZeroDivisionError):
        return 1.0
    low, high = ASPECTS
    return aspect if low <= aspect <= high and abs(aspect - 1) > SQUARE else 1.0


def _record(dataset: Dataset, not_listed: list[str]) -> dict[str, object]:
    """Return how the data set was de-identified: methods and attributes, never a value."""
    kept = PIXEL_ATTRIBUTES | (VALUES.keys() - set(not_listed))
    names = {name for name in _names(dataset, 0) if name not in kept}
    names |= {name for name in _names(dataset.file_meta, 0) if name not in kept}
    if any(getattr(dataset, "preamble", None) or b""):
        names.add("Preamble")
    removed = sorted(names - set(REPLACED))
    return {
        "methods": [dict(method) for method in METHODS],
        "replaced": [name for name in REPLACED if name in names],
        "removed": removed[:MAX_NAMES],
        "n_removed": len(removed),
        "not_listed": not_listed,
    }


def _names(dataset: Dataset, depth: int) -> Iterator[str]:
    """Yield the names of the attributes of a data set and of its sequences' items."""
    for tag in list(dataset.keys()):
        if BaseTag(tag).element == 0:
            continue  # group lengths
        yield _name(BaseTag(tag))
        element = dataset.get_item(tag)
        if depth < MAX_DEPTH and element is not None and element.VR == "SQ":
            yield from _names_in_sequence(dataset, tag, depth)


def _names_in_sequence(dataset: Dataset, tag: BaseTag, depth: int) -> Iterator[str]:
    try:
        items = list(dataset[tag].value or ())
    except Exception:  # a sequence that cannot be read is left behind all the same
        return
    for item in items:
        yield from _names(item, depth + 1)


def _name(tag: BaseTag) -> str:
    """Return the keyword of a standard attribute, the number of any other."""
    return (
        "" if tag.is_private else keyword_for_tag(tag)
    ) or f"({tag.group:04X},{tag.element:04X})"
