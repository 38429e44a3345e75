"""The exported dataset's schema: every table and column, its type and its meaning.

The version follows semantic versioning: a new column raises the minor number, a changed or
removed one the major number.
"""

from dataclasses import dataclass
from enum import StrEnum

SCHEMA_VERSION = "3.1"


class Kind(StrEnum):
    """The type of a column; JSON columns hold a JSON text in CSV and Parquet."""

    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    TEXT = "text"
    TIME = "time"
    JSON = "json"


@dataclass(frozen=True)
class Column:
    """One column of an exported table."""

    name: str
    kind: Kind
    meaning: str


_CASE = Column("case_id", Kind.INTEGER, "The case.")
_MODEL = (
    Column("model", Kind.TEXT, "Name of the model."),
    Column("model_version", Kind.TEXT, "Version of the model."),
    Column("weights_sha256", Kind.TEXT, "SHA-256 of the model's weights file."),
)
_PREDICTION = (
    Column("prediction_id", Kind.INTEGER, "The prediction."),
    Column("answer", Kind.TEXT, "What the model answers: a class, or 'no finding'."),
    Column("certainty", Kind.NUMBER, "How far the answer is from another one: 0.5 is on the edge."),
    Column(
        "predicted_label",
        Kind.TEXT,
        "The class that the maps explain unless asked otherwise: the answer, or where that is 'no "
        "finding' the class nearest to its threshold.",
    ),
    Column("predicted_score", Kind.NUMBER, "The score of that class, in [0, 1]."),
)

CASES = (
    _CASE,
    Column("image_file", Kind.TEXT, "The image in this archive, lossless PNG; empty if left out."),
    Column("image_sha256", Kind.TEXT, "SHA-256 of that PNG file."),
    Column("source_key", Kind.TEXT, "Keyed hash of the file as it was received; this site's only."),
    Column("source_format", Kind.TEXT, "Format of the file as it was received."),
    Column("width_px", Kind.INTEGER, "Width of the image."),
    Column("height_px", Kind.INTEGER, "Height of the image."),
    Column("bits", Kind.INTEGER, "Bits per channel of the stored pixels."),
    Column("window_low", Kind.NUMBER, "Pixel value of black: 0 for models without a grey range."),
    Column("window_high", Kind.NUMBER, "Pixel value of white: 1 for models without a grey range."),
    Column(
        "drawn",
        Kind.JSON,
        "Height of a pixel over its width (pixel_aspect); where it is not linear, the curve; the "
        "lowest and highest value of padding, which is black.",
    ),
    Column("modality", Kind.TEXT, "DICOM modality, where known."),
    Column("view_position", Kind.TEXT, "DICOM view position, where known."),
    Column("laterality", Kind.TEXT, "DICOM laterality (R, L, U, B), where known."),
    Column(
        "burnt_in_text",
        Kind.JSON,
        "Whether text may be burnt into the image, why, and where (x, y, width, height); who has "
        "looked at it and what was blacked out (looked_at); empty if nothing looked.",
    ),
    Column(
        "deidentification",
        Kind.JSON,
        "Methods (PS3.15), names of what was left behind, who confirmed masks.",
    ),
    Column("patient_key", Kind.TEXT, "Keyed hash that groups the images of one patient."),
    Column("synthetic", Kind.BOOLEAN, "Whether the image was drawn by a program."),
    Column("reference_label", Kind.TEXT, "Class by the reference standard, where there is one."),
    Column("mask_file", Kind.TEXT, "Reference mask in this archive, where there is one."),
    Column(
        "final_label",
        Kind.TEXT,
        "The one class that is present by `consensus`, with no disagreement on another; 'no "
        "finding' where all findings of a model are absent; else empty.",
    ),
    Column(
        "consensus",
        Kind.JSON,
        "By class, what the current verdicts on the case say together, whatever the filter: "
        "present, absent, indeterminate or disagreement. What nobody judged is not there.",
    ),
    Column(
        "n_current_verdicts",
        Kind.INTEGER,
        "Verdicts on the case, whatever the filter, that are neither superseded nor withdrawn.",
    ),
    Column("disposition", Kind.TEXT, "How triage was closed, where it is not open again."),
    Column("created_at", Kind.TIME, "When the case was received."),
)

VERDICTS = (
    Column("verdict_id", Kind.INTEGER, "The verdict."),
    _CASE,
    *_PREDICTION,
    *_MODEL,
    Column("reader_id", Kind.INTEGER, "The reader."),
    Column("reader", Kind.TEXT, "Account name of the reader."),
    Column(
        "opinion", Kind.TEXT, "Of the answer: accept, modify, reject, cannot_assess or withdrawn."
    ),
    Column("current", Kind.BOOLEAN, "Neither superseded nor a withdrawal."),
    Column("supersedes_id", Kind.INTEGER, "The earlier verdict that this one replaces."),
    Column("superseded_by_id", Kind.INTEGER, "The later verdict that replaces this one."),
    Column("final_label", Kind.TEXT, "The label that would follow from this verdict alone."),
    Column(
        "calls",
        Kind.JSON,
        "By class, what this verdict says: present, absent or indeterminate. What it did not judge "
        "is not there.",
    ),
    Column("corrected_label", Kind.TEXT, "Class the reader gave instead."),
    Column(
        "reasoning",
        Kind.TEXT,
        "Judgement of the reason, apart from the answer: sound, unsound or unsure; empty if none.",
    ),
    Column("reasons", Kind.JSON, "Keys of the reasons given."),
    Column("plausibility", Kind.JSON, "Judgement of each explanation, by explanation id."),
    Column("comment", Kind.TEXT, "The reader's comment."),
    Column("boxes", Kind.JSON, "Boxes drawn: x, y, width, height in image pixels."),
    Column("exposure", Kind.TEXT, "What of the model's output the reader had seen."),
    Column("active_seconds", Kind.NUMBER, "Time the reader spent on the case."),
    Column("created_at", Kind.TIME, "When the verdict was signed."),
    Column("evidence", Kind.JSON, "Hashes and parameters of all that was shown."),
    Column("previous_sha256", Kind.TEXT, "Hash of the verdict before it in the chain."),
    Column("row_sha256", Kind.TEXT, "Hash of this verdict and its predecessor's hash."),
)

PREDICTIONS = (
    _CASE,
    *_PREDICTION,
    *_MODEL,
    Column("scores", Kind.JSON, "Score of every class, by class name."),
    Column(
        "thresholds",
        Kind.JSON,
        "By class, the score from which it is present; empty where exactly one class is right.",
    ),
    Column("geometry", Kind.JSON, "Where the model's input lies on the image, in pixels."),
    Column("flags", Kind.JSON, "Why triage flagged it."),
    Column("software", Kind.JSON, "Versions of the software that computed it."),
    Column("created_at", Kind.TIME, "When it was computed."),
)

EXPLANATIONS = (
    Column("explanation_id", Kind.INTEGER, "The explanation."),
    _CASE,
    Column("prediction_id", Kind.INTEGER, "The prediction it explains."),
    *_MODEL,
    Column("method", Kind.TEXT, "Attribution method."),
    Column("target", Kind.INTEGER, "Index of the class it explains."),
    Column("target_label", Kind.TEXT, "Name of the class it explains."),
    Column("map_file", Kind.TEXT, "Float32 NumPy file (C, H, W) in this archive."),
    Column("artifact_sha256", Kind.TEXT, "SHA-256 of that file."),
    Column("params", Kind.JSON, "Everything needed to compute it again."),
    Column("convergence_delta", Kind.NUMBER, "sum(attribution) - (F(x) - F(baseline))."),
    Column("relative_delta", Kind.NUMBER, "The delta relative to F(x) - F(baseline)."),
    Column("trust", Kind.JSON, "Trust measures of the map."),
    Column("seconds", Kind.NUMBER, "Time it took to compute."),
    Column("device", Kind.TEXT, "Where it was computed."),
    Column("software", Kind.JSON, "Versions of the software that computed it."),
    Column("created_at", Kind.TIME, "When it was computed."),
)

TABLES = {
    "verdicts": VERDICTS,
    "cases": CASES,
    "predictions": PREDICTIONS,
    "explanations": EXPLANATIONS,
}


def describe() -> str:
    """Return the schema as Markdown, the README of every exported archive."""
    parts = [
        f"# Second Look dataset, schema {SCHEMA_VERSION}",
        "Each table comes as CSV, JSON Lines and Parquet with the same rows. CSV and Parquet hold "
        "JSON columns as text. In CSV, a text that a spreadsheet would run as a formula begins "
        "with an apostrophe that JSON Lines and Parquet do not have. Times are UTC. "
        "`manifest.json` counts every row and file, and holds the `heads` of the record's chains "
        "at that time, which `verify --expect` takes.",
        "A verdict is a reader's judgement; superseded ones are included and marked. The consensus "
        "is of all current verdicts on a case: of each reader the latest word on a class counts, "
        "`indeterminate` only where nobody says present or absent, and who cannot assess the image "
        "says nothing. A class that was not judged has no label: it is not absent. A heatmap is "
        "help, not evidence, and correlation is not cause.",
    ]
    for name, columns in TABLES.items():
        rows = "\n".join(f"| {c.name} | {c.kind.value} | {c.meaning} |" for c in columns)
        parts.append(f"## {name}\n\n| column | type | meaning |\n|---|---|---|\n{rows}")
    return "\n\n".join(parts) + "\n"
