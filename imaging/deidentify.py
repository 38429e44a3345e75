"""What is kept of a DICOM data set beside its pixels, and a record of what was left behind.

Nothing is copied and then cleaned: a short list of facts is read out, each by a closed set of
values or as a number within bounds, and all else stays in the decoding process. Attributes are
named by their keywords (PS3.6).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from pydicom import Dataset
from pydicom.datadict import keyword_for_tag
from pydicom.tag import BaseTag
from pydicom.uid import UID, UID_dictionary

from imaging.image import Identity, Note, Of, Place
from imaging.value_sets import VALUES, standard_value, terms

MAX_NAMES = 300
MAX_DEPTH = 8
SPACING_MM = (1e-5, 100.0)
# PS3.16, CID 7050. Days are retained moved, nothing else beyond what the basic profile allows.
# That pixels are clean is claimed once a person has confirmed masks.
METHODS = (
    {"code": "113100", "scheme": "DCM", "meaning": "Basic Application Confidentiality Profile"},
)
MOVED_DAYS = {
    "code": "113107",
    "scheme": "DCM",
    "meaning": "Retain Longitudinal Temporal Information Modified Dates Option",
}
CLEAN_PIXELS = {"code": "113101", "scheme": "DCM", "meaning": "Clean Pixel Data Option"}
# Groups a patient's images without naming anybody: replaced by keyed hashes.
REPLACED = (
    "PatientID", "IssuerOfPatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID",
)  # fmt: skip
DAYS = ("AcquisitionDate", "ContentDate", "StudyDate")  # the first that a file has is taken
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
    InstanceNumber ImageOrientationPatient ImagePositionPatient PlaneOrientationSequence
    PlanePositionSequence RepresentativeFrameNumber FrameAnatomySequence FrameLaterality
    LossyImageCompression PresentationIntentType TransferSyntaxUID FileMetaInformationGroupLength
    FileMetaInformationVersion
""")
SYNTAX = "Transfer Syntax"
LOSSY = frozenset(  # transfer syntaxes that may lose values (PS3.5, annex A.4)
    f"1.2.840.10008.1.2.4.{n}" for n in (50, 51, 81, 91, 93, 111, 112, 203)
)
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
    "PlanePositionSequence": {"ImagePositionPatient": "ImagePositionPatient"},
    "PlaneOrientationSequence": {"ImageOrientationPatient": "ImageOrientationPatient"},
}
ASPECTS = (0.05, 20.0)
MOST_MM, MOST_NUMBER = 10_000.0, 99_999
EARLIEST_YEAR = 1895  # no image is older
SLICED = ("CT", "MR", "PT")  # modalities of which a file often is one slice of many
NO_SLICES = frozenset({"LOCALIZER", "SCOUT", "TOPOGRAM"})  # PS3.3, C.8.2.1.1.1 and usage
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
        "lossy": _is_lossy(dataset),
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

    series = told("SeriesInstanceUID")
    is_slice = series is not None and _is_slice(dataset)
    return Identity(
        patient_key=told("PatientID", "IssuerOfPatientID"),
        study_key=told("StudyInstanceUID"),
        series_key=series,
        instance_key=told("SOPInstanceUID"),
        stack_key="\x1f".join((series, *_stacked_by(dataset))) if series and is_slice else None,
        acquired_on=_day(dataset),
    )


def place_of(dataset: Dataset) -> Place:
    """Return where a frame stands among those taken with it, as far as the numbers can be true."""
    orientation = _numbers(dataset, "ImageOrientationPatient", 6, most=1.001)
    position = _numbers(dataset, "ImagePositionPatient", 3, most=MOST_MM)
    along = None
    if orientation and position:
        (a, b, c), (d, e, f) = orientation[:3], orientation[3:]
        normal = (b * f - c * e, c * d - a * f, a * e - b * d)
        along = round(sum(n * p for n, p in zip(normal, position, strict=True)), 3)
    number = _whole(dataset.get("InstanceNumber"))
    return Place(number, along, tuple(round(way, 4) for way in orientation))


def is_localizer(dataset: Dataset) -> bool:
    """Return whether an image was taken to plan others."""
    kinds = dataset.get("ImageType") or ()
    kinds = [kinds] if isinstance(kinds, str) else kinds
    return not NO_SLICES.isdisjoint(str(kind).strip().upper() for kind in kinds)


def _is_slice(dataset: Dataset) -> bool:
    is_one = int(dataset.get("NumberOfFrames") or 1) == 1
    modality = standard_value("Modality", dataset.get("Modality"))
    is_placed = place_of(dataset).position_mm is not None
    return is_one and modality in SLICED and is_placed and not is_localizer(dataset)


def _stacked_by(dataset: Dataset) -> tuple[str, ...]:
    """Return what the slices of a stack have in common: their plane and their size."""
    ways = (f"{way + 0.0:.2f}".replace("-0.00", "0.00") for way in place_of(dataset).orientation)
    return *ways, str(dataset.get("Rows")), str(dataset.get("Columns"))


def _day(dataset: Dataset) -> str | None:
    for keyword in DAYS:
        if text := str(dataset.get(keyword) or "").strip():
            try:
                day = datetime.strptime(text, "%Y%m%d").date()  # noqa: DTZ007 - a day has no zone
            except ValueError:
                continue
            return day.isoformat() if day.year >= EARLIEST_YEAR else None
    return None


def _numbers(dataset: Dataset, keyword: str, n: int, *, most: float) -> tuple[float, ...]:
    """Return n numbers, none larger than allowed; none at all where they are not that."""
    try:
        values = [float(value) for value in dataset.get(keyword) or ()]
    except (TypeError, ValueError):
        return ()
    sound = len(values) == n and all(math.isfinite(v) and abs(v) <= most for v in values)
    return tuple(values) if sound else ()


def _whole(value: object) -> int | None:
    try:
        number = int(str(value))
    except ValueError:
        return None
    return number if 0 <= number <= MOST_NUMBER else None


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


def _is_lossy(dataset: Dataset) -> bool:
    """Return whether values may have been lost by compression, ever."""
    said = str(dataset.get("LossyImageCompression") or "").strip() == "01"
    return said or str(dataset.file_meta.TransferSyntaxUID) in LOSSY


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
    day = _day(dataset) is not None and bool(dataset.get("PatientID"))
    moved = [name for name in DAYS if dataset.get(name)][:1] if day else []
    removed = sorted(names - {*REPLACED, *moved})
    return {
        "methods": [dict(method) for method in (*METHODS, *[MOVED_DAYS] * len(moved))],
        "replaced": [name for name in (*REPLACED, *moved) if name in names],
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
