"""What a reader sends to be signed, and when it is complete."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from db.types import Exposure, Opinion, Plausibility
from review.errors import VerdictError

REASON, CHANGE = "reason", "change"
NEEDS = {Opinion.REJECT: REASON, Opinion.MODIFY: CHANGE}
"""What an opinion does not stand without: a reason, or a class, box or comment."""

MAX_COMMENT = 4000
MAX_BOXES = 50
MAX_REQUEST_ID = 64
DAY_SECONDS = 86_400.0
REASONS = {
    "wrong_finding": "Wrong finding",
    "missed_finding": "Finding missed",
    "wrong_place": "Wrong place",
    "looks_at_marker": "Looks at a marker or text",
    "looks_outside": "Looks outside the anatomy",
    "image_quality": "Image quality",
    "other": "Other",
}


@dataclass(frozen=True)
class VerdictDraft:
    """What a reader sends to be signed.

    Attributes:
        request_id: Unique per act of signing, made by the browser: sent twice, it signs once.
        case_id: The case on the reader's screen.
        prediction_id: The prediction on the reader's screen.
        opinion: The judgement of the prediction.
        evidence_token: What `evidence_token` gave for the screen, handed back.
        explanation_ids: The explanations on the screen.
        reasons: Keys of `REASONS`; at least one when rejecting.
        corrected_label: The class the reader gives instead.
        plausibility: Judgement of explanations, by explanation id.
        comment: Free text.
        boxes: Mappings of x, y, width, height in image pixels.
        exposure: What of the model's output the reader had seen.
        active_seconds: Time the reader spent on the case.
    """

    request_id: str
    case_id: int
    prediction_id: int
    opinion: Opinion
    evidence_token: str
    explanation_ids: tuple[int, ...] = ()
    reasons: tuple[str, ...] = ()
    corrected_label: str | None = None
    plausibility: Mapping[int, Plausibility] = field(default_factory=dict)
    comment: str = ""
    boxes: tuple[Mapping[str, float], ...] = ()
    exposure: Exposure = Exposure.EXPLANATION
    active_seconds: float = 0.0


def check(draft: VerdictDraft, *, classes: Collection[str], width_px: int, height_px: int) -> None:
    """Refuse a verdict that is incomplete or contradicts itself.

    Args:
        draft: What the reader sent.
        classes: The classes of the model that predicted.
        width_px: Width of the image.
        height_px: Height of the image.

    Raises:
        VerdictError: With what is missing, in words for the reader.
    """
    _check_opinion(draft)
    _check_text(draft)
    if draft.corrected_label is not None and draft.corrected_label not in classes:
        raise VerdictError(f"{draft.corrected_label!r} is not a class of this model")
    if not set(draft.plausibility) <= set(draft.explanation_ids):
        raise VerdictError("only explanations on the screen can be judged")
    if not 0.0 <= draft.active_seconds <= DAY_SECONDS:
        raise VerdictError(f"{draft.active_seconds} s on one case; allowed are 0 s to a day")
    if len(draft.boxes) > MAX_BOXES:
        raise VerdictError(f"{len(draft.boxes)} boxes; allowed are {MAX_BOXES}")
    for box in draft.boxes:
        _check_box(box, width_px, height_px)


def _check_opinion(draft: VerdictDraft) -> None:
    if draft.opinion is Opinion.WITHDRAWN:
        raise VerdictError("a verdict is withdrawn by undoing it")
    if unknown := set(draft.reasons) - REASONS.keys():
        raise VerdictError(f"unknown reasons: {', '.join(sorted(unknown))}")
    needed = NEEDS.get(draft.opinion)
    if needed == REASON and not draft.reasons:
        raise VerdictError("choose at least one reason for rejecting")
    changed = draft.corrected_label or draft.boxes or draft.comment.strip()
    if needed == CHANGE and not changed:
        raise VerdictError("say what is modified: a class, a box or a comment")
    if draft.opinion is Opinion.ACCEPT and draft.corrected_label:
        raise VerdictError(
            "an accepted prediction has no corrected class: accept with modification"
        )


def _check_text(draft: VerdictDraft) -> None:
    if not 1 <= len(draft.request_id) <= MAX_REQUEST_ID:
        raise VerdictError(
            f"the request id has {len(draft.request_id)} characters; "
            f"allowed are 1 to {MAX_REQUEST_ID}"
        )
    if len(draft.comment) > MAX_COMMENT:
        raise VerdictError(
            f"the comment has {len(draft.comment)} characters; allowed are {MAX_COMMENT}"
        )
    # NUL and half of a surrogate pair: a browser can send them, no database keeps them.
    if any(c == "\0" or "\ud800" <= c <= "\udfff" for c in draft.comment + draft.request_id):
        raise VerdictError("the comment holds a character that is not text")


def _check_box(box: Mapping[str, float], width_px: int, height_px: int) -> None:
    if box.keys() != {"x", "y", "width", "height"}:
        raise VerdictError("a box has x, y, width and height")
    across = box["x"] >= 0 and box["width"] > 0 and box["x"] + box["width"] <= width_px
    down = box["y"] >= 0 and box["height"] > 0 and box["y"] + box["height"] <= height_px
    if not (across and down):
        raise VerdictError(f"a box lies outside the image of {width_px} x {height_px} px")
