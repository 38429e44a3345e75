"""Exports that the worker makes: asked for, watched, cancelled, found again for download."""

import hashlib
import json
import secrets
import zipfile
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import select

from db import jobs
from db.errors import NotFoundError
from db.tables import Job, Model, Prediction
from db.types import AccessKind, JobKind, JobStatus
from review.exporting.dataset import ExportFilter
from review.exporting.kept import path_of
from review.policy import Action, Actor, account_id, insist, named
from review.trail import tell
from review.workspace import Workspace

N_SHOWN = 20


@dataclass(frozen=True)
class ExportView:
    """An export that was asked for.

    Attributes:
        n_bytes: Size of its file, as long as that is there.
        is_damaged: Whether that file ends early, or is no archive.
    """

    id: int
    status: JobStatus
    fraction: float
    stage: str
    error: str | None
    n_bytes: int | None
    is_damaged: bool
    created_at: datetime


def request(ws: Workspace, chosen: ExportFilter, *, by: Actor) -> int:
    """Queue an export for the worker and return its id."""
    with ws.begin() as session:
        insist(session, by, Action.EXPORT)
        key = hashlib.sha256(secrets.token_bytes(32)).hexdigest()
        job = jobs.enqueue(
            session,
            key=key,
            kind=JobKind.EXPORT,
            payload=chosen.to_json() | {"made_by": named(session, by)},
            priority=1,
            created_by=account_id(by),
        )
        tell(session, AccessKind.EXPORT_ASKED, by, export=job.id)
        return job.id


def download(ws: Workspace, export_id: int, *, by: Actor) -> Path:
    """Return the archive of an export that is made.

    Raises:
        AccessError: If the actor may not export.
        NotFoundError: If there is no such archive.
    """
    with ws.read() as session:
        insist(session, by, Action.EXPORT)
    path = path_of(ws, export_id)
    if not path.is_file():
        raise NotFoundError(f"there is no export {export_id}")
    ws.trail.note_at_once(AccessKind.EXPORT_DOWNLOADED, by, export=export_id)
    return path


def exports(ws: Workspace, *, by: Actor) -> tuple[ExportView, ...]:
    """Return the last exports, the newest first."""
    with ws.read() as session:
        insist(session, by, Action.EXPORT)
        found = session.scalars(
            select(Job).where(Job.kind == JobKind.EXPORT).order_by(Job.id.desc()).limit(N_SHOWN)
        ).all()
    return tuple(_view(job, path_of(ws, job.id)) for job in found)


def cancel(ws: Workspace, export_id: int, *, by: Actor) -> None:
    """Stop an export that waits or is being made."""
    with ws.begin() as session:
        insist(session, by, Action.EXPORT)
        jobs.request_cancel(session, export_id)


def models(ws: Workspace, *, by: Actor) -> dict[int, str]:
    """Return the model versions that have predicted something, by id."""
    with ws.read() as session:
        insist(session, by, Action.EXPORT)
        rows = session.execute(
            select(Model.id, Model.name, Model.version)
            .where(select(Prediction.id).where(Prediction.model_id == Model.id).exists())
            .order_by(Model.name, Model.version)
        )
        return {id_: f"{name} {version}" for id_, name, version in rows}


def forget(ws: Workspace, hashes: Collection[str]) -> int:
    """Remove the archives that hold one of these images or maps; return how many did."""
    n_removed = 0
    for path in path_of(ws, 0).parent.glob("*.zip"):
        try:
            with zipfile.ZipFile(path) as archive:
                files = json.loads(archive.read("manifest.json"))["files"].values()
                holds = any(file["sha256"] in hashes for file in files)
        except (zipfile.BadZipFile, KeyError, ValueError):
            holds = True  # what cannot be read cannot be told to be without them
        if holds:
            path.unlink(missing_ok=True)
            n_removed += 1
    return n_removed


def _view(job: Job, path: Path) -> ExportView:
    is_there = job.status is JobStatus.DONE and path.exists()
    return ExportView(
        id=job.id,
        status=job.status,
        fraction=job.n_done / job.n_total if job.n_total else 0.0,
        stage=job.stage,
        error=job.error,
        n_bytes=path.stat().st_size if is_there else None,
        is_damaged=is_there and not zipfile.is_zipfile(path),
        created_at=job.created_at,
    )
