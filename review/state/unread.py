"""What a reader has not judged yet: decided for each prediction, not for each case.

A prediction is read once its reader has a current verdict on it; a withdrawn one is unread again.
Readers are asked about what active models predicted: the answers of a retired model are history,
and experts' time is not spent on them unless somebody asks for that model by name.
"""

from typing import Any

from sqlalchemy import ColumnElement, and_, exists, or_
from sqlalchemy.orm import aliased

from db.tables import Case, Model, Prediction, Verdict
from db.verdicts import is_current


def judged_by(reader_id: int | None, prediction_id: ColumnElement[Any]) -> ColumnElement[bool]:
    """Tell whether a reader has a current verdict on a prediction."""
    own = aliased(Verdict)
    on_it = own.prediction_id == prediction_id
    return exists().where(on_it, own.reader_id == reader_id, is_current(own))


def is_unread(reader_id: int | None, *, model_id: int | None = None) -> ColumnElement[bool]:
    """Select predictions that a reader has not judged: of one model, or of every active one."""
    by_active = exists().where(Model.id == Prediction.model_id, Model.active)
    asked = by_active if model_id is None else Prediction.model_id == model_id
    return and_(asked, ~judged_by(reader_id, Prediction.id.expression))


def has_unread(reader_id: int | None, *, model_id: int | None = None) -> ColumnElement[bool]:
    """Select cases with a prediction that a reader has not judged."""
    on_it = Prediction.case_id == Case.id
    return exists().where(on_it, is_unread(reader_id, model_id=model_id))


def is_unread_case(reader_id: int | None, *, model_id: int | None = None) -> ColumnElement[bool]:
    """Select cases with such a prediction, and those that wait for their first."""
    waits = ~exists().where(Prediction.case_id == Case.id)
    return or_(waits, has_unread(reader_id, model_id=model_id))
