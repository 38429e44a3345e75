"""Files on their way into the record: each has an outcome of its own.

A file's name is told back to whoever sent it and is kept nowhere: names of patients are often part
of it.
"""

import hashlib
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session

from db.errors import RecordError
from db.tables import Case, Source
from db.types import CaseStatus, Origin
from imaging.archive import Entry
from imaging.decode import MAX_CHILDREN, frames
from imaging.encode import thumbnail_png, to_png
from imaging.errors import ImagingError
from imaging.image import DecodedImage, Note, Window
from imaging.incoming import files_of
from imaging.levels import checked_range
from review.burnt_in.noticing import notice
from review.cases import same, stacks
from review.cases.same import OtherPixelsError
from review.healing import REPLACED, heal
from review.maps.recipes import Recipe
from review.maps.requests import active_models, enqueue
from review.policy import Action, Actor, account_id, insist
from review.state.acquired import acquired
from review.state.held import is_held
from review.workspace import Workspace

HELD = "held back: text may stand in its picture; an engineer or administrator looks at it first"
N_AT_ONCE = 16  # frames of a file that are stored together

# A file in hand is in memory; one more than there are decoders would only wait there.
_in_hand = threading.BoundedSemaphore(MAX_CHILDREN)


@dataclass(frozen=True)
class FileOutcome:
    """What became of one file.

    Attributes:
        name: The file's name as it was sent, for whoever sent it.
        kind: Stored, an image that is here already, or refused.
        case_id: The case that it made, joined or made before.
        reason: Why it was refused or is held back, in plain words.
        notes: What to know of how it was read.
        taken: Its modality, view and side, as `review.state.acquired` has them.
        n_frames: How many images the file holds.
    """

    name: str
    kind: Literal["stored", "duplicate", "refused"]
    case_id: int | None = None
    reason: str = ""
    notes: tuple[Note, ...] = ()
    taken: Mapping[str, str | None] = field(default_factory=dict)
    n_frames: int = 1


@dataclass(frozen=True)
class Stored:
    """Where an image went.

    Attributes:
        case_id: Its case.
        is_new: Whether it made the case.
        joined: Whether it is a new slice of a case that was there.
        words: What else there is to know of it.
    """

    case_id: int
    is_new: bool = False
    joined: bool = False
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Facts:
    """What is known of an image apart from its bytes.

    Attributes:
        origin: How it came.
        by: Account that brought it; None as in `db.tables`.
        priority: How soon it is explained; higher is sooner.
        synthetic: Whether it was drawn by a program.
        reference_label: The class that is known to be right.
        reference_mask: PNG of where the finding is.
        grey_range: (black, white) in the files' own values, for those that state none.
    """

    origin: Origin
    by: int | None = None
    priority: int = 0
    synthetic: bool = False
    reference_label: str | None = None
    reference_mask: bytes | None = None
    grey_range: Window | None = None


def receive(
    ws: Workspace,
    files: Iterable[tuple[str, bytes | Path]],
    *,
    by: Actor,
    origin: Origin,
    grey_range: Window | None = None,
) -> Iterator[FileOutcome]:
    """Store files and the members of ZIP archives, and ask every active model to explain them.

    Args:
        ws: The installation.
        files: Names, and bytes or where they lie.
        by: Who brings them.
        origin: How they came.
        grey_range: (black, white) in the files' own values, for those that state none; see
            `imaging.decode.decode`.

    Yields:
        One outcome a file, in order; a file that is refused holds up none of the others.

    Raises:
        AccessError: As soon as the actor may not bring images in, or may not any more.
    """
    facts = Facts(origin, account_id(by), grey_range=checked_range(grey_range))
    begun: set[int] = set()
    try:
        for name, source in files:
            with closing(files_of(name, source)) as entries:
                while outcome := _next_outcome(ws, entries, facts, begun, by=by):
                    yield outcome
    finally:  # also where whoever asks stops asking
        for case_id in sorted(begun):
            stacks.settle(ws, case_id, by=facts.by, priority=facts.priority)


def store(ws: Workspace, image: DecodedImage, facts: Facts) -> Stored:
    """Store an image as a case and ask every active model to explain it, in one transaction.

    A case that the site's choice holds back is explained once somebody has looked at it for text,
    a stack once it is `settle`d (`review.cases.stacks`).

    Returns:
        What became of it: the same image is stored once, and a slice with those of its stack.

    Raises:
        StorageError: If the files cannot be written.
        OtherPixelsError: If a file of many frames says to be one that is here, and is not.
    """
    png = to_png(image.pixels)
    aspect = image.pixel_aspect
    thumbnail = thumbnail_png(image.pixels, image.window, image.shading, pixel_aspect=aspect)
    try:
        with ws.begin() as session:
            named, known, words = same.recognised(session, ws.artifacts, image, png)
            if known:
                healed = _heal(ws, session, known.case_id, (png, thumbnail), facts.by)
                return Stored(known.case_id, words=(*words, *[REPLACED] * healed))
            if stack := _stack(session, named):
                stacks.add(ws, session, stack, [named])
                return Stored(stack.id, joined=True)
            case = Case(**_fields(named, facts))
            put = ws.artifacts.put
            case.image_sha256 = put(session, png, media_type="image/png")
            case.thumbnail_sha256 = put(session, thumbnail, media_type="image/png")
            if facts.reference_mask is not None:
                mask_sha256 = put(session, facts.reference_mask, media_type="image/png")
                case.reference_mask_sha256 = mask_sha256
            session.add(case)
            session.flush()
            session.add(stacks.source_of(named, case.id, is_key=True))
            notice(session, case)
            if case.status is not CaseStatus.HELD and case.stack_key is None:
                models, by = active_models(session), facts.by
                enqueue(session, case, models, recipe=Recipe(), by=by, priority=facts.priority)
            return Stored(case.id, is_new=True)
    except IntegrityError:
        # Somebody else stored the same image, or began the same stack, at this moment.
        with ws.read() as session:
            if not (same.find(session, image) or _stack(session, image)):
                raise
        return store(ws, image, facts)


def _next_outcome(
    ws: Workspace, entries: Iterator[Entry], facts: Facts, begun: set[int], *, by: Actor
) -> FileOutcome | None:
    """Take the next file into memory and store it; wait while others' files are in hand."""
    with _in_hand:
        if (entry := next(entries, None)) is None:
            return None
        with ws.read() as session:
            insist(session, by, Action.UPLOAD)
        return _outcome(ws, entry, facts, begun)


def _outcome(ws: Workspace, entry: Entry, facts: Facts, begun: set[int]) -> FileOutcome:
    """Decode and store one file, or say why not."""
    if entry.data is None:
        return FileOutcome(entry.name, "refused", reason=str(entry.error))
    try:
        key = ws.settings.identity_key
        with closing(frames(entry.data, identity_key=key, grey_range=facts.grey_range)) as images:
            image = next(images)
            stored = store(ws, image, facts)
            said = _keep_frames(ws, stored.case_id, image, images)
    except (ImagingError, RecordError, OtherPixelsError) as exc:
        return FileOutcome(entry.name, "refused", reason=str(exc))
    except OperationalError as exc:
        return FileOutcome(entry.name, "refused", reason=f"the database refused it: {exc.orig}")
    if stored.is_new and image.identity.stack_key:
        begun.add(stored.case_id)
    reasons = [*stored.words, *said]
    with ws.read() as session:
        reasons += [HELD] if is_held(session, stored.case_id) else []
    is_stored = stored.is_new or stored.joined
    kind: Literal["stored", "duplicate"] = "stored" if is_stored else "duplicate"
    return FileOutcome(
        entry.name,
        kind,
        stored.case_id,
        "; ".join(reasons),
        notes=image.notes,
        taken=acquired(image),
        n_frames=image.n_frames,
    )


def _heal(
    ws: Workspace, session: Session, case_id: int, files: tuple[bytes, ...], by: int | None
) -> bool:
    """Put a known case's files in place again where they are damaged; say whether any was."""
    case = session.get_one(Case, case_id)
    its = (case.image_sha256, case.thumbnail_sha256)
    known = [data for data in files if hashlib.sha256(data).hexdigest() in its]
    kept = partial(heal, ws, session, media_type="image/png", what="image", by=by, case_id=case_id)
    return any([kept(data) for data in known])


def _keep_frames(
    ws: Workspace, case_id: int, key: DecodedImage, others: Iterator[DecodedImage]
) -> list[str]:
    """Keep the other frames of a file with its case, a few at a time; say what is missing."""
    if key.n_frames == 1 or _has_all(ws, case_id, key):
        return []
    n_kept = 1
    try:
        while some := list(islice(others, N_AT_ONCE)):
            with ws.begin() as session:
                stacks.add(ws, session, session.get_one(Case, case_id), some)
            n_kept += len(some)
    except (ImagingError, RecordError) as exc:
        return [f"{n_kept} of {key.n_frames} frames are kept: {exc}"]
    return []


def _has_all(ws: Workspace, case_id: int, key: DecodedImage) -> bool:
    """Return whether a file's frames are here; those of another encoding stand for them."""
    with ws.read() as session:
        of_case = Source.case_id == case_id
        if session.scalar(select(func.count(Source.id)).where(of_case)) == key.n_frames:
            return True
        its = of_case & (Source.source_sha256 == key.source_sha256)
        return session.scalar(select(Source.id).where(its).limit(1)) is None


def _stack(session: Session, image: DecodedImage) -> Case | None:
    """Return the case that a slice belongs to, if others of its stack came before."""
    if image.identity.stack_key is None:
        return None
    its = Case.stack_key == image.identity.stack_key
    return session.scalar(select(Case).where(its).with_for_update())


def _fields(image: DecodedImage, facts: Facts) -> dict[str, Any]:
    return stacks.shown_of(image) | {
        "source_sha256": image.source_sha256,
        "source_format": image.source_format,
        "width_px": image.pixels.shape[1],
        "height_px": image.pixels.shape[0],
        "modality": image.modality,
        "patient_key": image.identity.patient_key,
        "stack_key": image.identity.stack_key,
        "origin": facts.origin,
        "synthetic": facts.synthetic,
        "reference_label": facts.reference_label,
        "created_by": facts.by,
    }
