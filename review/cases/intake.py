"""Files on their way into the record: each has an outcome of its own.

A file's name is told back to whoever sent it and is kept nowhere: names of patients are often part
of it.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session

from db.errors import RecordError
from db.tables import Case
from db.types import CaseStatus, Origin
from imaging.archive import Entry
from imaging.decode import decode
from imaging.encode import thumbnail_png, to_png
from imaging.errors import ImagingError
from imaging.image import DecodedImage, Note, Window
from imaging.incoming import files_of
from imaging.levels import checked_range
from review.burnt_in.noticing import notice
from review.healing import REPLACED, heal
from review.maps.recipes import Recipe
from review.maps.requests import active_models, enqueue
from review.policy import Action, Actor, account_id, insist
from review.state.held import is_held
from review.workspace import Workspace

HELD = "held back: text may stand in its picture; an engineer or administrator looks at it first"


@dataclass(frozen=True)
class FileOutcome:
    """What became of one file.

    Attributes:
        name: The file's name as it was sent, for whoever sent it.
        kind: Stored as a new case, the same bytes as an earlier case, or refused.
        case_id: The new or the earlier case.
        reason: Why it was refused or is held back, in plain words.
        notes: What to know of how it was read.
    """

    name: str
    kind: Literal["stored", "duplicate", "refused"]
    case_id: int | None = None
    reason: str = ""
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True)
class Stored:
    """Where an image went: its case, whether that is new, or a file of it was put back."""

    case_id: int
    is_new: bool = False
    healed: bool = False


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
    for name, source in files:
        for entry in files_of(name, source):
            with ws.read() as session:
                insist(session, by, Action.UPLOAD)
            yield _outcome(ws, entry, facts)


def store(ws: Workspace, image: DecodedImage, facts: Facts) -> Stored:
    """Store an image as a case and ask every active model to explain it, in one transaction.

    A case that the site's choice holds back is explained once somebody has looked at it for text.

    Returns:
        What became of it: the same bytes are stored once.

    Raises:
        StorageError: If the files cannot be written.
    """
    png = to_png(image.pixels)
    aspect = image.pixel_aspect
    thumbnail = thumbnail_png(image.pixels, image.window, image.shading, pixel_aspect=aspect)
    try:
        with ws.begin() as session:
            known = _case_id(session, image)
            if known is not None:
                return Stored(known, healed=_heal(ws, session, known, (png, thumbnail), facts.by))
            case = Case(**_fields(image, facts))
            put = ws.artifacts.put
            case.image_sha256 = put(session, png, media_type="image/png")
            case.thumbnail_sha256 = put(session, thumbnail, media_type="image/png")
            if facts.reference_mask is not None:
                mask_sha256 = put(session, facts.reference_mask, media_type="image/png")
                case.reference_mask_sha256 = mask_sha256
            session.add(case)
            session.flush()
            notice(session, case)
            if case.status is not CaseStatus.HELD:
                models, by = active_models(session), facts.by
                enqueue(session, case, models, recipe=Recipe(), by=by, priority=facts.priority)
            return Stored(case.id, is_new=True)
    except IntegrityError:
        # Somebody else stored the same bytes at this moment.
        with ws.read() as session:
            known = _case_id(session, image)
        if known is None:
            raise
        return Stored(known)


def _outcome(ws: Workspace, entry: Entry, facts: Facts) -> FileOutcome:
    """Decode and store one file, or say why not."""
    if entry.data is None:
        return FileOutcome(entry.name, "refused", reason=str(entry.error))
    try:
        key = ws.settings.identity_key
        image = decode(entry.data, identity_key=key, grey_range=facts.grey_range)
        stored = store(ws, image, facts)
    except (ImagingError, RecordError) as exc:
        return FileOutcome(entry.name, "refused", reason=str(exc))
    except OperationalError as exc:
        return FileOutcome(entry.name, "refused", reason=f"the database refused it: {exc.orig}")
    reasons = [REPLACED] if stored.healed else []
    with ws.read() as session:
        reasons += [HELD] if is_held(session, stored.case_id) else []
    kind: Literal["stored", "duplicate"] = "stored" if stored.is_new else "duplicate"
    return FileOutcome(entry.name, kind, stored.case_id, "; ".join(reasons), image.notes)


def _heal(
    ws: Workspace, session: Session, case_id: int, files: tuple[bytes, ...], by: int | None
) -> bool:
    """Put a known case's files in place again where they are damaged; say whether any was."""
    case = session.get_one(Case, case_id)
    its = (case.image_sha256, case.thumbnail_sha256)
    known = [data for data in files if hashlib.sha256(data).hexdigest() in its]
    kept = partial(heal, ws, session, media_type="image/png", what="image", by=by, case_id=case_id)
    return any([kept(data) for data in known])


def _case_id(session: Session, image: DecodedImage) -> int | None:
    return session.scalar(select(Case.id).where(Case.source_sha256 == image.source_sha256))


def _fields(image: DecodedImage, facts: Facts) -> dict[str, Any]:
    identity = image.identity
    groups = {"study_key": identity.study_key, "series_key": identity.series_key}
    return {
        "source_sha256": image.source_sha256,
        "source_format": image.source_format,
        "width_px": image.pixels.shape[1],
        "height_px": image.pixels.shape[0],
        "n_channels": 1 if image.pixels.ndim == 2 else image.pixels.shape[2],
        "bits": image.bits,
        "window_low": image.window[0],
        "window_high": image.window[1],
        "rescale_slope": image.rescale[0],
        "rescale_intercept": image.rescale[1],
        "modality": image.modality,
        "view_position": image.view_position,
        "patient_key": identity.patient_key,
        "acquisition": image.kept | {k: v for k, v in groups.items() if v},
        "notes": [note.words for note in image.notes],
        "origin": facts.origin,
        "synthetic": facts.synthetic,
        "reference_label": facts.reference_label,
        "created_by": facts.by,
    }
