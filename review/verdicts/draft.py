"""What a reader sends to be signed, and when it is complete."""

import dataclasses
import re
from collections.abc import Collection, Mapping
from dataclasses import field
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import (
    AfterValidator,
    Field,
    ModelWrapValidatorHandler,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic.dataclasses import dataclass

from db.types import Exposure, Opinion, Plausibility
from review.errors import VerdictError
from review.typed import (
    STRICT,
    EachOnce,
    Id,
    Key,
    Listed,
    Named,
    Text,
    echo,
    of_type,
    refusal,
    unknown_field,
)

REASON, CHANGE = "reason", "change"
NEEDS = {Opinion.REJECT: REASON, Opinion.MODIFY: CHANGE}
"""What an opinion does not stand without: a reason, or a class, box or comment."""

MAX_COMMENT = 4000
MAX_BOXES = 50
MAX_MAPS = 8
MAX_REQUEST_ID = 64
MAX_TOKEN = 64
MAX_LABEL = 128
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

NAME = "the verdict"
Side = Literal["x", "y", "width", "height"]
ID_AS_KEY = re.compile(r"[1-9][0-9]{0,9}", re.ASCII)


def _whole(box: dict[Side, float]) -> dict[Side, float]:
    if len(box) < len(get_args(Side)):
        raise ValueError("have one without x, y, width and height")
    return box


RequestId = Annotated[Text, Field(min_length=1, max_length=MAX_REQUEST_ID)]
Box = Annotated[dict[Side, float], AfterValidator(_whole)]

_request_ids: TypeAdapter[str] = TypeAdapter(RequestId)
_ids: TypeAdapter[int] = TypeAdapter(Id)


@dataclass(frozen=True, config=STRICT)
class VerdictDraft:
    """What a reader sends to be signed, each field of the type it says; made so or not at all.

    Lists may be given for tuples and values for members of enumerations, as JSON has them.

    Raises:
        VerdictError: If a field is missing, unknown, of another type or out of bounds.

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
        exposure: What of the model's output the reader had seen. A map that is judged was seen;
            where maps were on the screen, hidden or not, so was the prediction. Maps of another
            class or recipe may have been seen before the screen had none.
        active_seconds: Time the reader spent on the case.
        supersedes_id: The reader's own verdict that the screen showed as standing, and that this
            one supersedes; None where it showed none.
    """

    request_id: RequestId
    case_id: Id
    prediction_id: Id
    opinion: Named[Opinion]
    evidence_token: Annotated[Text, Field(max_length=MAX_TOKEN)]
    explanation_ids: Annotated[tuple[Id, ...], Listed, Field(max_length=MAX_MAPS), EachOnce] = ()
    reasons: Annotated[tuple[Key, ...], Listed, Field(max_length=len(REASONS)), EachOnce] = ()
    corrected_label: Annotated[Text, Field(max_length=MAX_LABEL)] | None = None
    plausibility: Annotated[dict[Id, Named[Plausibility]], Field(max_length=MAX_MAPS)] = field(
        default_factory=dict
    )
    comment: Annotated[Text, Field(max_length=MAX_COMMENT)] = ""
    boxes: Annotated[tuple[Box, ...], Listed, Field(max_length=MAX_BOXES)] = ()
    exposure: Named[Exposure] = Exposure.EXPLANATION
    active_seconds: Annotated[float, Field(ge=0, le=DAY_SECONDS)] = 0.0
    supersedes_id: Id | None = None

    @model_validator(mode="wrap")
    @classmethod
    def _in_words(cls, given: Any, make: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return make(given)
        except ValidationError as exc:
            names = [each.name for each in dataclasses.fields(cls)]
            raise VerdictError(refusal(exc, NAME, names)) from None


def from_json(fields: Mapping[str, Any]) -> VerdictDraft:
    """Return the draft that a browser sends; in JSON the keys of `plausibility` are text.

    Raises:
        VerdictError: As `VerdictDraft` does.
    """
    judged = fields.get("plausibility")
    if isinstance(judged, dict):
        fields = {**fields, "plausibility": {_id_of(k): v for k, v in judged.items()}}
    # The constructor's own first parameter is no field either.
    if unknown := fields.keys() - {each.name for each in dataclasses.fields(VerdictDraft)}:
        raise VerdictError(unknown_field(NAME, min(unknown)))
    return VerdictDraft(**fields)


def check_ids(request_id: str, verdict_id: int) -> None:
    """Refuse a withdrawal whose ids are none.

    Raises:
        VerdictError: If one is of another type or out of bounds.
    """
    of_type(_request_ids, request_id, name="the request id", error=VerdictError)
    of_type(_ids, verdict_id, name="the verdict's id", error=VerdictError)


def _id_of(key: Any) -> Any:
    return int(key) if isinstance(key, str) and ID_AS_KEY.fullmatch(key) else key


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
    _check_exposure(draft)
    if draft.corrected_label is not None and draft.corrected_label not in classes:
        raise VerdictError(f"{echo(draft.corrected_label)} is not a class of this model")
    if not set(draft.plausibility) <= set(draft.explanation_ids):
        raise VerdictError("only explanations on the screen can be judged")
    for box in draft.boxes:
        _check_box(box, width_px, height_px)


def _check_opinion(draft: VerdictDraft) -> None:
    if draft.opinion is Opinion.WITHDRAWN:
        raise VerdictError("a verdict is withdrawn by undoing it")
    if unknown := set(draft.reasons) - REASONS.keys():
        raise VerdictError(f"unknown reason: {echo(min(unknown))}; allowed: {', '.join(REASONS)}")
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


def _check_exposure(draft: VerdictDraft) -> None:
    """Refuse to have seen less than was on the screen."""
    if draft.plausibility and draft.exposure is not Exposure.EXPLANATION:
        raise VerdictError(
            "a map was judged that was not seen: show the maps, or take the judgement back"
        )
    if draft.explanation_ids and draft.exposure is Exposure.IMAGE_ONLY:
        raise VerdictError("maps were on the screen, yet only the image is said to have been seen")


def _check_box(box: Mapping[Side, float], width_px: int, height_px: int) -> None:
    across = box["x"] >= 0 and box["width"] > 0 and box["x"] + box["width"] <= width_px
    down = box["y"] >= 0 and box["height"] > 0 and box["y"] + box["height"] <= height_px
    if not (across and down):
        raise VerdictError(f"a box lies outside the image of {width_px} x {height_px} px")
