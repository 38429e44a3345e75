"""What a reader sends to be signed, each field of its type."""

import dataclasses
import re
from collections.abc import Mapping
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

from db.types import Call, Exposure, Opinion, Plausibility, Reasoning
from review.errors import VerdictError
from review.state.reasons import REASONS
from review.typed import (
    STRICT,
    EachOnce,
    Id,
    Key,
    Listed,
    Named,
    Text,
    of_type,
    refusal,
    unknown_field,
)

MAX_COMMENT = 4000
MAX_BOXES = 50
MAX_MAPS = 8
MAX_REQUEST_ID = 64
MAX_TOKEN = 64
MAX_LABEL = 128
MAX_FINDINGS = 1000
DAY_SECONDS = 86_400.0

NAME = "the verdict"
Side = Literal["x", "y", "width", "height"]
ID_AS_KEY = re.compile(r"[1-9][0-9]{0,9}", re.ASCII)


def _whole(box: dict[Side, float]) -> dict[Side, float]:
    if len(box) < len(get_args(Side)):
        raise ValueError("have one without x, y, width and height")
    return box


RequestId = Annotated[Text, Field(min_length=1, max_length=MAX_REQUEST_ID)]
Label = Annotated[Text, Field(max_length=MAX_LABEL)]
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
        opinion: The judgement of the answer.
        evidence_token: What `evidence_token` gave for the screen, handed back.
        explanation_ids: The explanations on the screen.
        reasons: Keys of `REASONS`.
        corrected_label: The class the reader gives instead, of a model whose classes exclude each
            other.
        plausibility: Judgement of explanations, by explanation id.
        comment: Free text.
        boxes: Mappings of x, y, width, height in image pixels.
        exposure: What of the model's output the reader had seen. A map that is judged was seen;
            where maps were on the screen, hidden or not, so was the prediction. Maps of another
            class or recipe may have been seen before the screen had none.
        active_seconds: Time the reader spent on the case.
        supersedes_id: The reader's own verdict that the screen showed as standing, and that this
            one supersedes; None where it showed none.
        findings: What the reader says of each class that they judge, by its name, of a model that
            asks each class for itself.
        reasoning: The judgement of the reason; None is no judgement.
    """

    request_id: RequestId
    case_id: Id
    prediction_id: Id
    opinion: Named[Opinion]
    evidence_token: Annotated[Text, Field(max_length=MAX_TOKEN)]
    explanation_ids: Annotated[tuple[Id, ...], Listed, Field(max_length=MAX_MAPS), EachOnce] = ()
    reasons: Annotated[tuple[Key, ...], Listed, Field(max_length=len(REASONS)), EachOnce] = ()
    corrected_label: Label | None = None
    plausibility: Annotated[dict[Id, Named[Plausibility]], Field(max_length=MAX_MAPS)] = field(
        default_factory=dict
    )
    comment: Annotated[Text, Field(max_length=MAX_COMMENT)] = ""
    boxes: Annotated[tuple[Box, ...], Listed, Field(max_length=MAX_BOXES)] = ()
    exposure: Named[Exposure] = Exposure.EXPLANATION
    active_seconds: Annotated[float, Field(ge=0, le=DAY_SECONDS)] = 0.0
    supersedes_id: Id | None = None
    findings: Annotated[dict[Label, Named[Call]], Field(max_length=MAX_FINDINGS)] = field(
        default_factory=dict
    )
    reasoning: Named[Reasoning] | None = None

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
