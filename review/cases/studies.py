"""Cases as they were taken: the series of a study, their cases, and the frames of each, in order.

Nothing here tells of verdicts: whoever may read may know how a study was taken.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session, aliased

from db.selecting import BATCH, batches
from db.tables import Case, Source
from review.cases.stacks import in_order
from review.policy import Action, Actor, insist
from review.state.acquired import acquired
from review.state.held import insist_passed, may_pass
from review.workspace import Workspace

PLACED = (
    Source.n_frames, Source.frame, Source.position_mm, Source.instance_number, Source.is_key,
)  # fmt: skip
COLUMNS = ("bits", "window_low", "window_high", "rescale_slope", "rescale_intercept", "acquisition")


@dataclass(frozen=True)
class Standing:
    """Where a case stands among those of its study.

    Attributes:
        number: Its place in the study, from 1.
        n_cases: How many cases the study has; 1 also where a file does not say its study.
        n_frames: How many frames are read as this case.
        shown: Which of them it shows, from 1.
    """

    number: int = 1
    n_cases: int = 1
    n_frames: int = 1
    shown: int = 1


@dataclass(frozen=True)
class FrameView:
    """One frame of a case.

    Attributes:
        image_sha256: Its picture; None where that was removed with an unmasked one.
        is_key: Whether it is the one that the case shows, and that models are given.
        instance_number: As its file says.
        position_mm: Where it lies across its plane.
        spacing_mm: Between its rows and its columns; empty where not known.
        orientation: Which way its rows and columns go (PS3.3, C.7.6.2.1.1); empty where not known.
        drawn: How it is drawn, by the names of the columns of `db.tables.Case`.
    """

    image_sha256: str | None
    is_key: bool
    instance_number: int | None
    position_mm: float | None
    spacing_mm: tuple[float, ...]
    orientation: tuple[float, ...]
    drawn: dict[str, Any]


@dataclass(frozen=True)
class StudyCase:
    """A case of a study."""

    case_id: int
    modality: str | None
    laterality: str | None
    view_position: str | None
    frames: tuple[FrameView, ...]


@dataclass(frozen=True)
class SeriesView:
    """The cases of one series, by the number that their files have in it."""

    cases: tuple[StudyCase, ...]


@dataclass(frozen=True)
class StudyView:
    """A study: its series in the order in which they came, and the day, moved as `db.tables` says.

    A case whose file does not say its study is a study by itself.
    """

    acquired_on: str | None
    series: tuple[SeriesView, ...]


def study(ws: Workspace, case_id: int, *, by: Actor) -> StudyView:
    """Return the study that a case belongs to, as far as its cases are not held back.

    Raises:
        AccessError: If this account may not read.
        NotFoundError: If there is no such case.
        HeldError: If it is held back.
    """
    with ws.read() as session:
        insist(session, by, Action.READ)
        insist_passed(session.get(Case, case_id), case_id=case_id)
        ids = _in_study(session, [case_id])[case_id]
        rows = session.scalars(select(Source).where(Source.case_id.in_(ids))).all()
        of_case = {case.id: case for case in session.scalars(select(Case).where(Case.id.in_(ids)))}
    series: dict[str | None, list[StudyCase]] = {}
    for number in ids:
        frames = in_order([row for row in rows if row.case_id == number])
        key = frames[0].series_key if frames else None
        series.setdefault(key, []).append(_case(of_case[number], frames))
    days = sorted(row.acquired_on for row in rows if row.acquired_on)
    return StudyView(
        days[0] if days else None, tuple(SeriesView(tuple(cases)) for cases in series.values())
    )


def standings(session: Session, case_ids: Sequence[int]) -> dict[int, Standing]:
    """Return where cases stand in their studies; those that are held back are not counted."""
    order = _in_study(session, case_ids)
    frames: dict[int, list[Any]] = {}
    for some in batches(case_ids):
        for row in session.execute(select(Source.case_id, *PLACED).where(Source.case_id.in_(some))):
            frames.setdefault(row.case_id, []).append(row)
    found = {}
    for case_id in case_ids:
        ids, own = order[case_id], in_order(frames.get(case_id, []))
        shown = next((n for n, row in enumerate(own, start=1) if row.is_key), 1)
        number = ids.index(case_id) + 1 if case_id in ids else 1
        found[case_id] = Standing(number, max(1, len(ids)), max(1, len(own)), shown)
    return found


def is_of_study(case_id: int) -> ColumnElement[bool]:
    """Select the cases of the study that a case belongs to, itself among them."""
    this, other = aliased(Source), aliased(Source)
    keys = select(this.study_key).where(this.case_id == case_id)
    return or_(
        Case.id == case_id, Case.id.in_(select(other.case_id).where(other.study_key.in_(keys)))
    )


def _in_study(session: Session, case_ids: Sequence[int]) -> dict[int, list[int]]:
    """Return the cases of each one's study, by series and then by number, itself among them."""
    study_of: dict[int, str] = {}
    members: dict[str, list[tuple[Any, ...]]] = {}
    for some in batches(case_ids):
        own = select(Source.case_id, Source.study_key).where(
            Source.case_id.in_(some), Source.study_key.is_not(None)
        )
        study_of.update((case_id, str(key)) for case_id, key in session.execute(own.distinct()))
    known = sorted(set(study_of.values()))
    for start in range(0, len(known), BATCH):
        keys = known[start : start + BATCH]
        number = func.min(Source.instance_number)
        beside = (
            select(Source.study_key, Source.series_key, number, Source.case_id)
            .join(Case, Case.id == Source.case_id)
            .where(Source.study_key.in_(keys), may_pass())
            .group_by(Source.study_key, Source.series_key, Source.case_id)
        )
        for key, *member in session.execute(beside):
            members.setdefault(str(key), []).append(tuple(member))
    ordered = {key: _ordered(of_one) for key, of_one in members.items()}
    return {i: ordered.get(study_of.get(i, ""), [i]) for i in case_ids}


def _ordered(members: Sequence[tuple[Any, ...]]) -> list[int]:
    began: dict[str | None, int] = {}
    for series_key, _, case_id in members:
        began[series_key] = min(case_id, began.get(series_key, case_id))

    def place(member: tuple[Any, ...]) -> tuple[int, bool, int, int]:
        series_key, number, case_id = member
        return began[series_key], number is None, number or 0, case_id

    return list(dict.fromkeys(case_id for *_, case_id in sorted(members, key=place)))


def _case(case: Case, frames: Sequence[Source]) -> StudyCase:
    return StudyCase(case.id, **acquired(case), frames=tuple(_frame(case, row) for row in frames))


def _frame(case: Case, row: Source) -> FrameView:
    drawn = {name: row.shown.get(name, getattr(case, name)) for name in COLUMNS}
    return FrameView(
        image_sha256=case.image_sha256 if row.is_key else row.image_sha256,
        is_key=row.is_key,
        instance_number=row.instance_number,
        position_mm=row.position_mm,
        spacing_mm=tuple(row.spacing_mm),
        orientation=tuple(row.orientation),
        drawn=drawn,
    )
