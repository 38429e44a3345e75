"""The exports that the worker made, as files: listed with their sizes, removed when it is time.

What was removed can be made again; the chain keeps that it was made and that it was removed.
"""

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from db import audit
from db.errors import NotFoundError
from db.types import AuditKind, now
from review.errors import ReviewError, SettingsError
from review.policy import Action, Actor, account_id, insist
from review.workspace import Workspace

DAYS_VARIABLE = "SECOND_LOOK_KEEP_EXPORTS_DAYS"
NAME = re.compile(r"second-look-export-([0-9]{1,18})\.zip")


@dataclass(frozen=True)
class KeptExport:
    """An export's file.

    Attributes:
        id: Of the export.
        n_bytes: Its size.
        made_at: When it was whole.
    """

    id: int
    n_bytes: int
    made_at: datetime


def path_of(ws: Workspace, export_id: int) -> Path:
    """Return where the archive of an export lies once it is made."""
    return _folder(ws) / f"second-look-export-{export_id}.zip"


def kept(ws: Workspace, *, by: Actor) -> tuple[KeptExport, ...]:
    """Return the exports that are there, the oldest first."""
    with ws.read() as session:
        insist(session, by, Action.EXPORT)
    return _kept(ws)


def remove(ws: Workspace, export_id: int, *, by: Actor) -> KeptExport:
    """Remove an export's file; the audit chain tells who did.

    Raises:
        AccessError: If the actor may not export.
        NotFoundError: If there is no such file.
        ReviewError: If it cannot be removed; nothing is then told.
    """
    with ws.begin() as session:
        insist(session, by, Action.EXPORT)
        found = next((each for each in _kept(ws) if each.id == export_id), None)
        if found is None:
            raise NotFoundError(f"there is no file of an export {export_id}")
        audit.append(
            session.connection(),
            kind=AuditKind.EXPORT_REMOVED,
            actor_id=account_id(by),
            subject="export_files",
            subject_id=str(export_id),
            content={**audit.known_of_actor(session), "state": {"n_bytes": found.n_bytes}},
        )
        try:
            path_of(ws, export_id).unlink()
        except OSError as exc:
            raise ReviewError(f"export {export_id} cannot be removed: {exc.strerror}") from exc
    return found


def remove_older(ws: Workspace, days: int, *, by: Actor) -> tuple[KeptExport, ...]:
    """Remove the exports that were made more than some days ago, and return them."""
    before = now() - timedelta(days=days)
    old = [each for each in kept(ws, by=by) if each.made_at < before]
    return tuple(remove(ws, each.id, by=by) for each in old)


def days_kept() -> int | None:
    """Return after how many days the site removes exports; None if never.

    Raises:
        SettingsError: If the setting is no number of days.
    """
    value = os.environ.get(DAYS_VARIABLE, "")
    if not value:
        return None
    if not value.isdecimal() or not 1 <= int(value) <= 36_500:
        raise SettingsError(f"{DAYS_VARIABLE} is {value!r}: allowed are 1 to 36500, or nothing")
    return int(value)


def _folder(ws: Workspace) -> Path:
    return ws.settings.home / "exports"


def _kept(ws: Workspace) -> tuple[KeptExport, ...]:
    found = []
    for path in _folder(ws).glob("second-look-export-*.zip"):
        if name := NAME.fullmatch(path.name):
            with suppress(FileNotFoundError):  # removed at this moment
                facts = path.stat()
                made_at = datetime.fromtimestamp(facts.st_mtime, UTC)
                found.append(KeptExport(int(name[1]), facts.st_size, made_at))
    return tuple(sorted(found, key=lambda each: each.made_at))
