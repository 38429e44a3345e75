"""What the worklist is asked for: as parameters of an address, and as SQL."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Select, exists, func, or_, select, tuple_
from sqlalchemy.orm import aliased

from db.tables import Case, Prediction, TriageFlag, Verdict
from db.types import CaseStatus, TriageReason
from db.verdicts import is_current
from review.cases.studies import is_of_study
from review.policy import Actor, account_id
from review.state.held import may_pass
from review.state.knowledge import knows_all, may_know, may_know_flag, stands_at
from review.state.unread import is_unread_case

MAX_TEXT = 100
MAX_PAGE = 100_000


class Sort(StrEnum):
    """The order of the worklist."""

    OLDEST = "oldest"
    NEWEST = "newest"
    LEAST_CERTAIN = "least_certain"
    MOST_CERTAIN = "most_certain"


ASCENDING = (Sort.OLDEST, Sort.LEAST_CERTAIN)
BY_CERTAINTY = (Sort.LEAST_CERTAIN, Sort.MOST_CERTAIN)


@dataclass(frozen=True)
class WorklistQuery:
    """What the worklist shows; None means any.

    Attributes:
        text: A case number, part of a predicted class, or a modality.
        status: Where the case stands.
        model_id: Predicted by this model version.
        label: Predicted as this class (by that model version, where one is given).
        flag: Flagged for this reason.
        reader_id: Judged by this reader.
        sort: The order.
        page: Page number, from 1.
        unread_by: Not judged by this reader, as `review.state.unread` has it.
        study: Of the same study as this case.
    """

    text: str = ""
    status: CaseStatus | None = None
    model_id: int | None = None
    label: str | None = None
    flag: TriageReason | None = None
    reader_id: int | None = None
    sort: Sort = Sort.OLDEST
    page: int = 1
    unread_by: int | None = None
    study: int | None = None

    def to_params(self) -> dict[str, str]:
        """Return the fields that differ from the default, as parameters of an address."""
        default = WorklistQuery()
        return {
            field.name: str(value)
            for field in fields(self)
            if (value := getattr(self, field.name)) != getattr(default, field.name)
        }

    @classmethod
    def from_params(cls, params: Mapping[str, str]) -> "WorklistQuery":
        """Read an address; a parameter that makes no sense is left out."""
        query = cls(text=params.get("text", "")[:MAX_TEXT], label=params.get("label") or None)
        readers: dict[str, Any] = {
            "status": CaseStatus,
            "model_id": _number,
            "flag": TriageReason,
            "reader_id": _number,
            "sort": Sort,
            "page": lambda value: min(max(1, _number(value)), MAX_PAGE),
            "unread_by": _number,
            "study": _number,
        }
        for name, read in readers.items():
            try:
                query = replace(query, **{name: read(params[name])})
            except (KeyError, ValueError):
                continue
        return query


def conditions(query: WorklistQuery, by: Actor) -> list[ColumnElement[bool]]:
    """Return what a case must fulfil; what who asks may not know yet finds nothing.

    What few cases fulfil is asked as a list that an index gives, what many do case by case.
    """
    found: list[ColumnElement[bool]] = [may_pass()]
    if query.status is not None:
        found.append(stands_at(query.status, by))
    if query.label is not None:
        found.append(Case.id.in_(_predicted_as(query.label, query.model_id)))
    elif query.model_id is not None:
        by_model = Prediction.model_id == query.model_id
        found.append(exists().where(Prediction.case_id == Case.id, by_model))
    if query.flag is not None:
        flagged = select(TriageFlag.case_id).where(
            TriageFlag.reason == query.flag, may_know_flag(by)
        )
        found.append(Case.id.in_(flagged))
    if query.reader_id is not None:
        known = may_know(by, Verdict.prediction_id.expression)
        signed = select(Verdict.case_id).where(
            Verdict.reader_id == query.reader_id, is_current(), known
        )
        found.append(Case.id.in_(signed))
    if query.unread_by is not None:
        found.append(is_unread_case(query.unread_by, model_id=query.model_id))
        if query.unread_by != account_id(by):
            found.append(knows_all(by))
    if query.study is not None:
        found.append(is_of_study(query.study))
    if text := query.text.strip():
        found.append(_matches(text))
    return found


def order(sort: Sort, *, backwards: bool = False) -> list[ColumnElement[Any]]:
    """Return what the worklist, or the way back through it, is ordered by."""
    ascending = (sort in ASCENDING) is not backwards
    keys: list[ColumnElement[Any]] = [Case.id.expression]
    if sort in BY_CERTAINTY:
        keys.insert(0, _certainty(Case))
    return [key.asc() if ascending else key.desc() for key in keys]


def after(sort: Sort, case_id: int) -> ColumnElement[bool]:
    """Select the cases that come after this one."""
    return _beyond(case_id, sort, ascending=sort in ASCENDING)


def before(sort: Sort, case_id: int) -> ColumnElement[bool]:
    """Select the cases that come before this one."""
    return _beyond(case_id, sort, ascending=sort not in ASCENDING)


def _predicted_as(label: str, model_id: int | None) -> Select[int]:
    cases = select(Prediction.case_id).where(Prediction.answer == label)
    return cases if model_id is None else cases.where(Prediction.model_id == model_id)


def _number(value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) < 10):
        raise ValueError(f"{value!r} is not a number of an id or page")
    return int(value)


def _matches(text: str) -> ColumnElement[bool]:
    number = text.lower().removeprefix("case").strip().lstrip("#")
    try:
        return Case.id == _number(number)
    except ValueError:
        # The classes are few and indexed: they are searched, not the predictions.
        labels = select(Prediction.answer).distinct().subquery()
        alike = select(labels.c.answer).where(labels.c.answer.icontains(text, autoescape=True))
        predicted = select(Prediction.case_id).where(Prediction.answer.in_(alike))
        return or_(Case.modality == text.upper(), Case.id.in_(predicted))


def _certainty(case: type[Case]) -> ColumnElement[float]:
    """Return the lowest certainty of a case's predictions; cases without one come last."""
    lowest = select(func.min(Prediction.certainty)).where(Prediction.case_id == case.id)
    return func.coalesce(lowest.scalar_subquery(), 2.0)


def _beyond(case_id: int, sort: Sort, *, ascending: bool) -> ColumnElement[bool]:
    by_id = Case.id > case_id if ascending else Case.id < case_id
    if sort not in BY_CERTAINTY:
        return by_id
    this = aliased(Case)
    here = tuple_(select(_certainty(this)).where(this.id == case_id).scalar_subquery(), case_id)
    there = tuple_(_certainty(Case), Case.id)
    return there > here if ascending else there < here
