"""Looking for text in pictures that came in before anything, or anything as good, looked."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select

from db.errors import RecordError
from db.tables import Case
from db.types import CaseStatus
from imaging import burnt_in
from imaging.burnt_in import DETECTOR, FOUND
from imaging.encode import from_png
from review.burnt_in.noticing import notice
from review.policy import Action, Actor, insist
from review.progress import Progress
from review.state.held import last_event
from review.state.shown import shading_of
from review.workspace import Workspace


@dataclass(frozen=True)
class Searched:
    """What a search came to: how many cases, of them suspected, held back; which not readable."""

    n_looked: int
    n_suspected: int
    n_held: int
    unreadable: tuple[str, ...]


def look_for_text(ws: Workspace, *, by: Actor, progress: Progress | None = None) -> Searched:
    """Look at every picture that this version's detector has not seen, and do as the site chose.

    What was found stands on each case as soon as it was looked at: stopped, it goes on from there.
    """
    with ws.read() as session:
        insist(session, by, Action.MANAGE_SETTINGS)
        case_ids = session.scalars(select(Case.id).where(_unseen()).order_by(Case.id)).all()
    found = dict.fromkeys(("looked", "suspected", "held"), 0)
    unreadable = []
    for number, case_id in enumerate(case_ids, start=1):
        try:
            for what in _look(ws, case_id, by=by):
                found[what] += 1
        except RecordError as exc:
            unreadable.append(f"case {case_id}: {exc}")
        if progress is not None:
            progress(number, len(case_ids))
    return Searched(found["looked"], found["suspected"], found["held"], tuple(unreadable))


def _unseen() -> ColumnElement[bool]:
    """Select the cases whose picture this version's detector has not seen."""
    seen_by = Case.acquisition["burnt_in_text"]["detector"].as_integer()
    unseen = or_(seen_by.is_(None), seen_by < DETECTOR)
    return and_(~Case.synthetic, unseen)  # a phantom shows nobody


def _look(ws: Workspace, case_id: int, *, by: Actor) -> Iterator[str]:
    """Look at one picture; yield what it counts as."""
    with ws.read() as session:
        case = session.get_one(Case, case_id)
    known = case.acquisition.get("burnt_in_text") or {}
    pixels = from_png(ws.artifacts.read(case.image_sha256))
    window = (case.window_low, case.window_high)
    said, shading = _said(case.modality, known), shading_of(case)
    found = burnt_in.findings(pixels, window, said, shading=shading)
    with ws.begin() as session:
        insist(session, by, Action.MANAGE_SETTINGS)
        now = session.get_one(Case, case_id, with_for_update=True, populate_existing=True)
        if now.image_sha256 != case.image_sha256:
            return  # masked meanwhile: its picture comes next time
        yield "looked"
        last = last_event(session, case_id)
        if last is not None:  # whoever looks, or has looked, knows better
            found = {**now.acquisition["burnt_in_text"], "detector": DETECTOR}
        now.acquisition = dict(now.acquisition) | {"burnt_in_text": found}
        if last is not None or not found["suspected"]:
            return
        yield "suspected"
        now.notes = [*(note for note in now.notes if note != burnt_in.NOTE), burnt_in.NOTE]
        notice(session, now)
        if now.status is CaseStatus.HELD:
            yield "held"


def _said(modality: str | None, known: Mapping[str, Any]) -> list[str]:
    """Return why text is to be expected whatever the pixels look like; the file is not there."""
    if known:
        return [why for why in known.get("why", ()) if why != FOUND]
    return [burnt_in.OFTEN] if modality in burnt_in.USUAL else []
