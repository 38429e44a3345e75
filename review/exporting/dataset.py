"""Turning the feedback into a dataset: counted, versioned, self-describing.

A filter chooses predictions; every verdict on a chosen prediction is exported, so that no reader's
view is dropped. Tables are written from one snapshot, beside which readers go on signing; images
and maps, which never change, are copied after it.
"""

import hashlib
import json
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from db.errors import ArtifactError
from db.selecting import batches, count
from db.tables import Case, Explanation, Export, Prediction, Verdict
from db.types import Opinion, now
from db.verdicts import is_current
from review import leftovers
from review.audit.checkpoints import heads
from review.errors import ReviewError
from review.exporting.files import TableWriter
from review.exporting.rows import case_rows, explanation_rows, prediction_rows, verdict_rows
from review.exporting.schema import SCHEMA_VERSION, TABLES, describe
from review.policy import Action, Actor, account_id, insist, named
from review.progress import Progress
from review.software import versions
from review.state.held import may_pass
from review.workspace import Workspace


class ExportError(ReviewError):
    """An export could not be written, or its counts do not add up."""


@dataclass(frozen=True)
class ExportFilter:
    """Which predictions to export; empty tuples and None mean any.

    Attributes:
        model_ids: Model versions that made the prediction.
        opinions: At least one current verdict on the prediction is one of these.
        since: A verdict on the prediction was signed at or after this time.
        until: A verdict on the prediction was signed before this time.
        synthetic: Whether cases drawn by a program are included.
        unjudged: Whether predictions without any verdict are included.
        images: Whether the archive holds the images.
        maps: Whether the archive holds the float maps.
    """

    model_ids: tuple[int, ...] = ()
    opinions: tuple[Opinion, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    synthetic: bool = True
    unjudged: bool = False
    images: bool = True
    maps: bool = True

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-safe mapping that `from_json` reads back."""
        return {
            **asdict(self),
            "model_ids": list(self.model_ids),
            "opinions": [opinion.value for opinion in self.opinions],
            "since": self.since.isoformat() if self.since else None,
            "until": self.until.isoformat() if self.until else None,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "ExportFilter":
        """Read what `to_json` wrote."""
        return cls(
            **{
                **data,
                "model_ids": tuple(data["model_ids"]),
                "opinions": tuple(Opinion(value) for value in data["opinions"]),
                "since": datetime.fromisoformat(data["since"]) if data["since"] else None,
                "until": datetime.fromisoformat(data["until"]) if data["until"] else None,
            }
        )


@dataclass(frozen=True)
class ExportCounts:
    """What an export with some filter would hold."""

    n_cases: int
    n_predictions: int
    n_verdicts: int
    n_current_verdicts: int
    n_explanations: int


def preview(ws: Workspace, chosen: ExportFilter, *, by: Actor) -> ExportCounts:
    """Count what the filter chooses, without writing anything."""
    with ws.read() as session:
        insist(session, by, Action.EXPORT)
        return _counts(session, chosen)


def export(
    ws: Workspace,
    chosen: ExportFilter,
    path: Path,
    *,
    by: Actor,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Write the dataset as one ZIP file and return its manifest.

    Args:
        ws: The installation.
        chosen: What to export.
        path: The ZIP file; it appears only once it is whole.
        by: Who asks for it.
        progress: Called with (files written, files in all); raise in it to cancel.

    Raises:
        AccessError: If the actor may not export.
        ExportError: If the file cannot be written or the counts do not add up.
        ArtifactError: If an image or map is missing or damaged.
    """
    with ws.read() as session:
        insist(session, by, Action.EXPORT)
        made_by = named(session, by)
    return write(ws, chosen, path, made_by=made_by, created_by=account_id(by), progress=progress)


def write(
    ws: Workspace,
    chosen: ExportFilter,
    path: Path,
    *,
    made_by: Mapping[str, str] | None,
    created_by: int | None,
    progress: Progress | None,
) -> dict[str, Any]:
    """Write a dataset that was allowed when it was asked for; otherwise as `export`.

    `made_by` stands in the manifest, `created_by` in the record.
    """
    manifest: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "created_at": now().astimezone(UTC).isoformat(),
        "made_by": made_by,
        "software": versions(),
        "filter": chosen.to_json(),
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with leftovers.working_folder(path.parent) as folder:
            tables = _write_tables(ws, chosen, folder)
            whole = folder / "archive.zip"
            manifest |= {"heads": tables.made_at}
            manifest = _write_archive(ws, whole, tables, manifest, progress)
            if ws.only_reads:  # as a copy on a disk mounted for reading
                whole.replace(path)
                return manifest | {"on_record": False}
            with ws.begin() as session:
                session.add(
                    Export(
                        schema_version=SCHEMA_VERSION,
                        filters=chosen.to_json(),
                        manifest=manifest,
                        created_by=created_by,
                    )
                )
                # From here on the audit chain's lock keeps pictures as they are.
                session.flush()
                _check_pictures(session, tables.pictures)
                whole.replace(path)
    except OSError as exc:
        raise ExportError(f"cannot write {path}: {exc.strerror}; nothing was exported") from exc
    return manifest


# --- what a filter chooses --------------------------------------------------------------------


def _chosen_predictions(chosen: ExportFilter) -> Select[int]:
    ids = select(Prediction.id).join(Case, Case.id == Prediction.case_id).where(may_pass())
    on_it = select(Verdict.id).where(Verdict.prediction_id == Prediction.id)
    if not chosen.synthetic:
        ids = ids.where(~Case.synthetic)
    if chosen.model_ids:
        ids = ids.where(Prediction.model_id.in_(chosen.model_ids))
    if not chosen.unjudged:
        ids = ids.where(on_it.exists())
    if chosen.opinions:
        ids = ids.where(on_it.where(is_current(), Verdict.opinion.in_(chosen.opinions)).exists())
    if chosen.since is not None:
        ids = ids.where(on_it.where(Verdict.created_at >= chosen.since).exists())
    if chosen.until is not None:
        ids = ids.where(on_it.where(Verdict.created_at < chosen.until).exists())
    return ids


def _counts(session: Session, chosen: ExportFilter) -> ExportCounts:
    ids = _chosen_predictions(chosen)
    verdicts = select(Verdict.id).where(Verdict.prediction_id.in_(ids))
    return ExportCounts(
        n_cases=count(session, select(Prediction.case_id).where(Prediction.id.in_(ids)).distinct()),
        n_predictions=count(session, ids),
        n_verdicts=count(session, verdicts),
        n_current_verdicts=count(session, verdicts.where(is_current())),
        n_explanations=count(
            session, select(Explanation.id).where(Explanation.prediction_id.in_(ids))
        ),
    )


# --- writing ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Copy:
    """An artifact and its name in the archive."""

    name: str
    sha256: str


@dataclass(frozen=True)
class _Tables:
    """What was written from one snapshot.

    Attributes:
        paths: The tables' files.
        copies: The artifacts to copy.
        counts: How many rows there are, held against the database.
        made_at: Both chains' heads.
        pictures: Each case's image by its hash.
    """

    paths: list[Path]
    copies: list[_Copy]
    counts: dict[str, Any]
    made_at: dict[str, Any]
    pictures: dict[int, str]


def _write_tables(ws: Workspace, chosen: ExportFilter, folder: Path) -> _Tables:
    paths: list[Path] = []
    copies: dict[str, _Copy] = {}
    pictures: dict[int, str] = {}
    n_written: dict[str, int] = {}
    with ws.read_at_length(folder) as session:
        ids = list(session.scalars(_chosen_predictions(chosen).order_by(Prediction.id)))
        sources: dict[str, Iterator[dict[str, Any]]] = {
            "verdicts": verdict_rows(session, ids),
            "cases": case_rows(
                session, ids, images=chosen.images, identity_key=ws.settings.identity_key
            ),
            "predictions": prediction_rows(session, ids),
            "explanations": explanation_rows(session, ids, maps=chosen.maps),
        }
        for name, rows in sources.items():
            with TableWriter(folder, name, TABLES[name]) as writer:
                for row in rows:
                    writer.write(row)
                    copies.update((copy.name, copy) for copy in _copies(row))
                    if name == "cases":
                        pictures[row["case_id"]] = row["image_sha256"]
            paths += writer.paths
            n_written[name] = writer.n_rows
        counts = _reconcile(session, chosen, n_written)
        made_at = heads(session)
    return _Tables(paths, list(copies.values()), counts, made_at, pictures)


def _check_pictures(session: Session, pictures: Mapping[int, str]) -> None:
    """Refuse what was written of pictures that were masked or held back meanwhile.

    Raises:
        ExportError: If there is one.
    """
    for ids in batches(list(pictures)):
        chosen = select(Case.id, Case.image_sha256).where(Case.id.in_(ids), may_pass())
        now = {case_id: sha256 for case_id, sha256 in session.execute(chosen)}
        if now != {case_id: pictures[case_id] for case_id in ids}:
            raise ExportError(
                "a picture was masked or held back for text while this was written: nothing was "
                "exported; export again"
            )


def _copies(row: dict[str, Any]) -> Iterator[_Copy]:
    """Yield the artifacts that a row names a file for; masks are named by their hash."""
    if row.get("image_file"):
        yield _Copy(row["image_file"], row["image_sha256"])
    if row.get("mask_file"):
        yield _Copy(row["mask_file"], Path(row["mask_file"]).stem)
    if row.get("map_file"):
        yield _Copy(row["map_file"], row["artifact_sha256"])


def _reconcile(session: Session, chosen: ExportFilter, written: dict[str, int]) -> dict[str, Any]:
    """Hold the rows written against counts of the database; both in the same snapshot.

    Raises:
        ExportError: If they do not add up.
    """
    expected = _counts(session, chosen)
    n_outside = count(
        session,
        select(Verdict.id).where(Verdict.prediction_id.not_in(_chosen_predictions(chosen))),
    )
    n_verdicts = count(session, select(Verdict.id))
    wanted = {
        "verdicts": n_verdicts - n_outside,
        "cases": expected.n_cases,
        "predictions": expected.n_predictions,
        "explanations": expected.n_explanations,
    }
    if written != wanted:
        raise ExportError(f"rows written {written} differ from the database {wanted}")
    return {
        "rows": written,
        "current_verdicts": expected.n_current_verdicts,
        "verdicts_in_database": n_verdicts,
        "verdicts_outside_filter": n_outside,
        "reconciled": True,
    }


def _write_archive(
    ws: Workspace,
    path: Path,
    tables: _Tables,
    head: dict[str, Any],
    progress: Progress | None,
) -> dict[str, Any]:
    files: dict[str, dict[str, Any]] = {}
    n_total = len(tables.paths) + len(tables.copies)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as archive:
        for table in tables.paths:
            files[table.name] = _add_file(archive, table)
            _report(progress, len(files), n_total)
        for copy in tables.copies:
            try:
                data = ws.artifacts.read(copy.sha256)
            except ArtifactError as exc:
                raise ArtifactError(f"{copy.name} cannot be exported: {exc}") from exc
            stored = zipfile.ZIP_STORED if copy.name.endswith(".png") else zipfile.ZIP_DEFLATED
            archive.writestr(copy.name, data, stored)
            files[copy.name] = {"sha256": copy.sha256, "n_bytes": len(data)}
            _report(progress, len(files), n_total)
        manifest = head | {"counts": tables.counts | {"files": len(files)}, "files": files}
        archive.writestr("README.md", describe())
        archive.writestr("manifest.json", json.dumps(manifest, indent=1, ensure_ascii=False))
    return {**manifest, "files": len(files)}


def _add_file(archive: zipfile.ZipFile, path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
        with archive.open(path.name, "w", force_zip64=True) as member:
            shutil.copyfileobj(file, member, 1 << 20)
    return {"sha256": digest, "n_bytes": path.stat().st_size}


def _report(progress: Progress | None, n_done: int, n_total: int) -> None:
    if progress is not None:
        progress(n_done, n_total)
