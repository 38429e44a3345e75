"""Drafts on the server: what a reader has entered and not signed, offered again to them alone."""

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy.orm import Session

from db import drafts
from db.errors import NotFoundError
from db.tables import Draft, Prediction
from db.types import Call, Plausibility, Reasoning
from review.errors import ReviewError
from review.policy import Action, insist
from review.state.reasons import REASONS
from review.typed import STRICT, Key, Listed, Named, Text, refusal
from review.verdicts.draft import MAX_BOXES, MAX_COMMENT, MAX_FINDINGS, Box, Label
from review.workspace import Workspace

MAX_DRAFTS = 500
MAX_JUDGED = 64
NAME = "the draft"

# A map as it looks: class, method and the beginning of its hash.
Picture = Annotated[Text, Field(pattern=r"^[0-9]{1,7}/[a-z0-9_]{1,48}/[0-9a-f]{16}$")]
Entered = Literal["accept", "modify", "reject", "cannot_assess"]

_log = logging.getLogger(__name__)


class DraftError(ReviewError):
    """A draft is not of the types that it has, or one too many."""


class NewerDraftError(ReviewError):
    """The draft was written since by another screen of the reader's.

    Attributes:
        draft: What that one says.
    """

    def __init__(self, draft: "DraftView | None") -> None:
        super().__init__("another window or browser of yours has saved a newer draft")
        self.draft = draft


class DraftContent(BaseModel):
    """What a screen has of an unsigned verdict; it need not be complete, but is of its types.

    Maps are named by how they look, so that a judgement outlives a map's new record.
    """

    model_config = ConfigDict(**STRICT, frozen=True)

    opinion: Entered | None = None
    reasons: Annotated[tuple[Key, ...], Listed, Field(max_length=len(REASONS))] = ()
    corrected: Label | None = None
    plausibility: Annotated[dict[Picture, Named[Plausibility]], Field(max_length=MAX_JUDGED)] = {}
    comment: Annotated[Text, Field(max_length=MAX_COMMENT)] = ""
    boxes: Annotated[tuple[Box, ...], Listed, Field(max_length=MAX_BOXES)] = ()
    reasoning: Named[Reasoning] | None = None
    findings: Annotated[dict[Label, Named[Call]], Field(max_length=MAX_FINDINGS)] = {}

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return self.model_dump(mode="json")


@dataclass(frozen=True)
class DraftView:
    """A draft on the server; `updated_at` names this state of it."""

    content: DraftContent
    updated_at: datetime


def parse(content: Any) -> DraftContent:
    """Return what a browser sends as a draft.

    Raises:
        DraftError: If a field is unknown, of another type or out of bounds.
    """
    try:
        return DraftContent.model_validate(content)
    except ValidationError as exc:
        raise DraftError(refusal(exc, NAME)) from None


def keep(
    ws: Workspace,
    reader_id: int,
    prediction_id: int,
    content: DraftContent,
    *,
    base_at: datetime | None,
) -> DraftView:
    """Write a draft over the one that it follows.

    Args:
        ws: The installation.
        reader_id: Whose it is.
        prediction_id: On what.
        content: What was entered.
        base_at: Which state of the draft it follows; None where the screen knew of none.

    Raises:
        AccessError: If this account may not sign.
        NotFoundError: If there is no such prediction.
        NewerDraftError: If another screen of this reader's has written since: it has that draft.
        DraftError: If there are too many drafts.
    """
    with ws.begin() as session:
        insist(session, reader_id, Action.SIGN)
        if session.get(Prediction, prediction_id) is None:
            raise NotFoundError(f"prediction {prediction_id} does not exist")
        found = drafts.find(session, reader_id, prediction_id)
        if found is None and drafts.n_of(session, reader_id) >= MAX_DRAFTS:
            raise DraftError(
                f"{MAX_DRAFTS} drafts are kept for you already: sign or discard some of them"
            )
        if found is not None and _view(found) is None:
            base_at = found.updated_at  # nobody can be shown what it says
        written = drafts.put(
            session, reader_id, prediction_id, content=content.to_json(), base_at=base_at
        )
        if written is None:
            raise NewerDraftError(offered(session, reader_id, prediction_id))
        return DraftView(content, written.updated_at)


def discard(ws: Workspace, reader_id: int, prediction_id: int, *, base_at: datetime | None) -> None:
    """Delete a draft, if it is still the one that the reader saw.

    Raises:
        AccessError: If this account may not sign.
        NewerDraftError: If another screen of this reader's has written since: it has that draft.
    """
    with ws.begin() as session:
        insist(session, reader_id, Action.SIGN)
        newest = offered(session, reader_id, prediction_id)
        if newest is not None and newest.updated_at != base_at:
            raise NewerDraftError(newest)
        drafts.purge(session, reader_id, prediction_id)


def offered(session: Session, account_id: int | None, prediction_id: int) -> DraftView | None:
    """Return an account's own draft on a prediction, if it is one that this version can read."""
    found = None if account_id is None else drafts.find(session, account_id, prediction_id)
    return _view(found) if found else None


def _view(draft: Draft) -> DraftView | None:
    try:
        return DraftView(DraftContent.model_validate(draft.content), draft.updated_at)
    except ValidationError:
        _log.warning("a draft on prediction %d cannot be read", draft.prediction_id)
        return None
