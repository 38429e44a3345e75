"""The desk of who looks at pictures for text: what waits, the picture, letting pass, masking."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from db import verdicts
from db.errors import ConflictError, NotFoundError
from db.selecting import count
from db.tables import Account, Case, TextEvent
from db.types import CaseStatus, TextStep, now
from imaging import burnt_in
from imaging.burnt_in import Box
from imaging.deidentify import with_pixels_cleaned
from imaging.encode import from_png, thumbnail_png, to_png, to_unit
from imaging.masks import blacked_out, checked_masks
from review.burnt_in.noticing import add_event, was_judged
from review.burnt_in.pictures import erase_removed, put_picture
from review.errors import ReviewError
from review.maps.recipes import Recipe
from review.maps.requests import active_models, enqueue
from review.policy import Action, insist
from review.state.held import is_last, last_event
from review.state.shown import pixel_aspect_of, shading_of
from review.state.status import refresh_status
from review.workspace import Workspace

OPEN = (TextStep.HELD, TextStep.NOTICED)
MOST_SHOWN = 200
LEVELS = 255
LOOKED_AT = "looked at for text by"


class TextError(ReviewError):
    """A picture cannot be let pass or masked as it stands."""


@dataclass(frozen=True)
class Waiting:
    """A case in whose picture text is suspected, that nobody has looked at yet."""

    case_id: int
    is_held: bool
    since: datetime


@dataclass(frozen=True)
class Queue:
    """The cases that wait, those held back first; `n_total` counts all of them."""

    cases: tuple[Waiting, ...]
    n_total: int


@dataclass(frozen=True)
class TextCase:
    """A case as who looks for text sees it.

    Attributes:
        case_id: Its number.
        image_sha256: Its picture, handed back with what is decided of it.
        width_px: Width of the picture.
        height_px: Height of the picture.
        is_held: Whether readers wait for it.
        is_judged: Whether a verdict was signed on it: its picture then stays as it is.
        is_open: Whether text is suspected and nobody has looked yet.
        why: Why text is suspected.
        proposed: Boxes around what looks like text.
        masks: Boxes that are black already.
    """

    case_id: int
    image_sha256: str
    width_px: int
    height_px: int
    is_held: bool
    is_judged: bool
    is_open: bool
    why: tuple[str, ...]
    proposed: tuple[Box, ...]
    masks: tuple[Box, ...]


def waiting(ws: Workspace, *, by: int) -> Queue:
    """Return the cases that somebody has to look at."""
    suspected = (
        select(TextEvent.case_id, TextEvent.step, TextEvent.created_at)
        .where(TextEvent.step.in_(OPEN), is_last())
        .order_by(TextEvent.step != TextStep.HELD, TextEvent.case_id)
    )
    with ws.read() as session:
        insist(session, by, Action.CHECK_TEXT)
        rows = session.execute(suspected.limit(MOST_SHOWN)).all()
        n_total = count(session, suspected)
    cases = (Waiting(case_id, step is TextStep.HELD, at) for case_id, step, at in rows)
    return Queue(tuple(cases), n_total)


def look(ws: Workspace, case_id: int, *, by: int) -> TextCase:
    """Return a case to be looked at for text, whether it waits or not.

    Raises:
        NotFoundError: If there is no such case.
    """
    with ws.read() as session:
        insist(session, by, Action.CHECK_TEXT)
        case = _case(session, case_id)
        known = _known(case)
        last = last_event(session, case_id)
        return TextCase(
            case_id=case.id,
            image_sha256=case.image_sha256,
            width_px=case.width_px,
            height_px=case.height_px,
            is_held=case.status is CaseStatus.HELD,
            is_judged=was_judged(session, case_id),
            is_open=last is not None and last.step in OPEN,
            why=tuple(map(str, known.get("why", ()))),
            proposed=tuple(tuple(box) for box in known.get("boxes", ())),
            masks=tuple(tuple(box) for box in _looked_at(known).get("masks", ())),
        )


def picture(ws: Workspace, case_id: int, *, by: int, whole_range: bool = False) -> bytes:
    """Return a case's picture as an 8-bit PNG, as readers first see it.

    Args:
        ws: The installation.
        case_id: The case.
        by: Who looks.
        whole_range: Show every value between the darkest and the brightest, for text that the
            window hides.

    Raises:
        NotFoundError: If there is no such case.
    """
    with ws.read() as session:
        insist(session, by, Action.CHECK_TEXT)
        case = _case(session, case_id)
    pixels = from_png(ws.artifacts.read(case.image_sha256))
    window = (case.window_low, case.window_high)
    if whole_range:
        window = (float(pixels.min()), float(pixels.max()))
    return to_png((to_unit(pixels, window, shading_of(case)) * LEVELS).round().astype("uint8"))


def release(ws: Workspace, case_id: int, image_sha256: str, *, by: int) -> None:
    """Let a case pass as it is: no text in its picture names anybody.

    Args:
        ws: The installation.
        case_id: The case.
        image_sha256: The picture that was looked at.
        by: Who looked.

    Raises:
        NotFoundError: If there is no such case.
        ConflictError: If somebody else has decided of it meanwhile.
    """
    with ws.begin() as session:
        insist(session, by, Action.CHECK_TEXT)
        case = _locked(session, case_id, image_sha256)
        last = last_event(session, case_id)
        if last is None or last.step not in OPEN:
            raise ConflictError(f"case {case_id} does not wait any more: somebody has looked at it")
        add_event(session, case, TextStep.RELEASED, actor_id=by)
        _settle(session, case, by=by, step=TextStep.RELEASED, masks=[])


def mask(ws: Workspace, case_id: int, image_sha256: str, masks: object, *, by: int) -> None:
    """Black out parts of a case's picture for good, and let it pass.

    What was made of the unmasked picture goes with it, and is made anew.

    Args:
        ws: The installation.
        case_id: The case.
        image_sha256: The picture that was looked at.
        masks: Boxes of x, y, width and height in whole image pixels.
        by: Who confirms them.

    Raises:
        NotFoundError: If there is no such case.
        MaskError: If a mask is none, or lies outside the picture.
        TextError: If a verdict was signed on the case.
        ConflictError: If somebody else has decided of it meanwhile.
        ArtifactError: If the picture cannot be read or written.
    """
    with ws.read() as session:
        insist(session, by, Action.CHECK_TEXT)
        case = _case(session, case_id)
    boxes = checked_masks(masks, width_px=case.width_px, height_px=case.height_px)
    if case.image_sha256 != image_sha256:
        raise _changed(case_id)
    pixels = blacked_out(from_png(ws.artifacts.read(case.image_sha256)), boxes)
    window = (case.window_low, case.window_high)
    aspect = pixel_aspect_of(case)
    thumbnail = thumbnail_png(pixels, window, shading_of(case), pixel_aspect=aspect)
    png = to_png(pixels)
    with ws.begin() as session:
        insist(session, by, Action.CHECK_TEXT)
        case = _locked(session, case_id, image_sha256)
        if was_judged(session, case_id):
            raise TextError(
                f"a verdict was signed on case {case_id}, so its picture stays as it was shown: "
                "upload the masked picture as a new case"
            )
        drawn = [list(box) for box in boxes]
        removed = put_picture(session, ws.artifacts, case, png=png, thumbnail=thumbnail)
        event = add_event(session, case, TextStep.MASKED, actor_id=by, masks=drawn, removed=removed)
        _settle(session, case, by=by, step=event.step, masks=drawn)
    erase_removed(ws, removed)


def _settle(
    session: Session, case: Case, *, by: int, step: TextStep, masks: list[list[int]]
) -> None:
    """Write what was decided beside the picture, and have the case explained."""
    name = session.get_one(Account, by).display_name
    known = _known(case)
    before = _looked_at(known).get("masks", [])
    looked_at = {"by": name, "at": now().isoformat(), "step": step.value, "masks": before + masks}
    acquisition = dict(case.acquisition) | {"burnt_in_text": {**known, "looked_at": looked_at}}
    if masks:
        acquisition["deidentification"] = with_pixels_cleaned(
            acquisition.get("deidentification"), confirmed_by=name, n_masks=len(before + masks)
        )
    case.acquisition = acquisition
    case.notes = [*(n for n in case.notes if not is_note(n)), _note(name, len(before + masks))]
    refresh_status(session, case.id)
    enqueue(session, case, active_models(session), recipe=Recipe(), by=by, priority=0)


def is_note(note: object) -> bool:
    """Return whether a case's note speaks of text in its picture."""
    return str(note) == burnt_in.NOTE or str(note).startswith(LOOKED_AT)


def _note(name: str, n_masks: int) -> str:
    if not n_masks:
        return f"{LOOKED_AT} {name}: none that names anybody"
    return f"{LOOKED_AT} {name}: {n_masks} part{'s' * (n_masks > 1)} of the picture blacked out"


def _case(session: Session, case_id: int) -> Case:
    case = session.get(Case, case_id)
    if case is None:
        raise NotFoundError(f"case {case_id} does not exist")
    return case


def _locked(session: Session, case_id: int, image_sha256: str) -> Case:
    """Return a case that nobody else decides of at the same time.

    Signing takes the same lock: a verdict that is just being signed counts.
    """
    verdicts.lock(session)
    case = session.get(Case, case_id, with_for_update=True, populate_existing=True)
    if case is None:
        raise NotFoundError(f"case {case_id} does not exist")
    if case.image_sha256 != image_sha256:
        raise _changed(case_id)
    return case


def _changed(case_id: int) -> ConflictError:
    return ConflictError(
        f"the picture of case {case_id} has changed since it was shown: nothing was done; look at "
        "it again"
    )


def _known(case: Case) -> Mapping[str, Any]:
    known = case.acquisition.get("burnt_in_text")
    return known if isinstance(known, dict) else {}


def _looked_at(known: Mapping[str, Any]) -> Mapping[str, Any]:
    found = known.get("looked_at")
    return found if isinstance(found, dict) else {}
