"""Making a backup while the site runs: the database first, then every artifact that it names.

An artifact is written before its row and never removed, so that what the copied rows name is there.
"""

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine, make_url

from db import contents, copies
from db.artifacts import ArtifactStore
from db.engine import open_database
from db.migrate import NEWEST
from db.types import now
from review.errors import BackupError
from review.keeping.artifacts import copy_all
from review.keeping.manifest import CHECKPOINTS, PARTIAL, SUMS, Manifest, file_facts, sync
from review.policy import Action, Actor, OperatingSystemUser, insist
from review.progress import Progress
from review.settings import DATABASE_VARIABLE, Settings
from review.software import versions
from review.verdicts.verify import size_problem, verify
from review.workspace import Workspace

ARTIFACTS, LOCK = "artifacts", ".lock"
# Settings whose values a backup repeats; others may be secrets.
OPEN_SETTINGS = ("SECOND_LOOK_PUBLIC_URL", "SECOND_LOOK_WORKERS", "FORWARDED_ALLOW_IPS")


@dataclass(frozen=True)
class Choice:
    """How a backup is made.

    Attributes:
        key: Whether the site's key goes with it.
        rereads: Whether artifacts of earlier backups are read again, not only looked for.
        despite_damage: Whether it is made although artifacts are missing or damaged in the home.
    """

    key: bool = True
    rereads: bool = False
    despite_damage: bool = False


@dataclass(frozen=True)
class Backup:
    """A backup that is whole and on disk."""

    path: Path
    manifest: Manifest


def backup(
    ws: Workspace,
    folder: Path,
    *,
    by: Actor,
    chosen: Choice | None = None,
    progress: Progress | None = None,
) -> Backup:
    """Add a backup to a folder of backups, and verify it; readers may sign meanwhile.

    Args:
        ws: The installation.
        folder: Holds the backups; made if it is not there. Artifacts are kept in it once.
        by: Who asks.
        chosen: How to make it.
        progress: Called with (artifacts done, artifacts in all).

    Raises:
        AccessError: If the actor may not.
        BackupError: If the folder cannot be written, an artifact is missing in the home or the
            record is not sound. Nothing is then left that could be taken for a backup.
        CopyError: If the database cannot be copied.
        StorageError: If that is for now alone: the disk is full, or does not answer.
    """
    with ws.read() as session:
        insist(session, by, Action.BACK_UP)
    engine: Engine = ws.sessions.kw["bind"]
    chosen = chosen or Choice()
    with _writing(folder), _partial(folder) as partial:
        with copies.copied(engine, partial) as connection:
            held = contents.Contents.of(connection)
            named = list(contents.artifacts(connection))
        store = ArtifactStore(folder / ARTIFACTS)
        missing = copy_all(
            named,
            ws.artifacts,
            store,
            n_total=len(named),
            trusts_sizes=not chosen.rereads,
            progress=progress,
        )
        if missing and not chosen.despite_damage:
            raise BackupError(_words_of(missing, len(named)))
        problems = _problems(ws, partial, store)
        if problems and not chosen.despite_damage:
            raise BackupError(_unsound(problems))
        _copy_rest(ws.settings, partial, key=chosen.key)
        files = _Files(engine, partial, f"../{ARTIFACTS}")
        return files.finish(held, named, missing=missing, problems=problems)


def before_upgrade(settings: Settings, engine: Engine, folder: Path) -> Backup:
    """Copy what an upgrade changes; the artifacts, which it leaves alone, stay where they are.

    Raises:
        BackupError: If the folder cannot be written.
        CopyError: If the database cannot be copied.
        StorageError: If that is for now alone: the disk is full, or does not answer.
    """
    with _writing(folder), _partial(folder) as partial:
        with copies.copied(engine, partial) as connection:
            held = contents.Contents.of(connection)
            named = list(contents.artifacts(connection))
        _copy_rest(settings, partial, key=True)
        where = os.path.relpath(settings.artifacts_path, folder / "backup")
        return _Files(engine, partial, where).finish(held, named, missing=[], problems=[])


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Let one backup at a time write into a folder, and say in words where it cannot."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (folder / LOCK).open("wb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BackupError(f"another backup is being written to {folder}") from None
            for left in folder.glob(f"{PARTIAL}*"):  # whoever wrote them has ended
                shutil.rmtree(left)
            yield
    except OSError as exc:
        raise BackupError(
            f"cannot back up to {folder} ({exc.strerror}: {exc.filename}): no backup was made"
        ) from exc


@contextmanager
def _partial(folder: Path) -> Iterator[Path]:
    partial = folder / f"{PARTIAL}{secrets.token_hex(8)}"
    partial.mkdir(mode=0o700)
    try:
        yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _copy_rest(settings: Settings, partial: Path, *, key: bool) -> None:
    sources = [*settings.home.glob(CHECKPOINTS)]
    if key and settings.identity_key_path.exists():
        sources.append(settings.identity_key_path)
    for source in sources:
        (partial / source.name).touch(mode=0o600)
        shutil.copyfile(source, partial / source.name)


def _problems(ws: Workspace, partial: Path, store: ArtifactStore) -> list[str]:
    """Return what is wrong with chains, live rows and triggers; the artifacts were just read.

    On SQLite of the copy itself. A dump can be looked into only by loading it, which restoring
    does: there the database is checked that it was made of.
    """
    checked, me = ws, OperatingSystemUser.current()
    if (partial / copies.SQLITE_FILE).exists():
        address = f"sqlite:///{partial / copies.SQLITE_FILE}"
        settings = Settings(partial, address, ws.settings.identity_key)
        checked = Workspace(settings, store, open_database(address))
    try:
        return list(verify(checked, by=me, check_artifact=size_problem).problems)
    finally:
        if checked is not ws:
            checked.sessions.kw["bind"].dispose()


@dataclass(frozen=True)
class _Files:
    """The files of a backup that is not whole yet."""

    engine: Engine
    folder: Path
    artifacts: str

    def finish(
        self,
        held: contents.Contents,
        named: Sequence[tuple[str, int]],
        *,
        missing: list[str],
        problems: list[str],
    ) -> Backup:
        """Write down what the backup holds, and give it its name."""
        files = {path.name: file_facts(path) for path in sorted(self.folder.iterdir())}
        store, lost = ArtifactStore(Path(self.artifacts)), set(missing)
        with (self.folder / SUMS).open("w", encoding="utf-8") as sums:
            for name, facts in files.items():
                sums.write(f"{facts['sha256']}  {name}\n")
            for sha256, _ in named:
                if sha256 not in lost:
                    sums.write(f"{sha256}  {store.path(sha256)}\n")
        manifest = Manifest(
            made_at=f"{now():%Y-%m-%dT%H:%M:%S.%fZ}",
            kind=self.engine.dialect.name,
            schema=held.schema or NEWEST,
            heads=held.heads,
            n_rows=held.n_rows,
            artifacts=self.artifacts,
            n_artifacts=len(named),
            n_artifact_bytes=sum(n_bytes for _, n_bytes in named),
            missing=missing,
            problems=problems,
            files=files | {SUMS: file_facts(self.folder / SUMS)},
            software=versions(),
            settings=_settings(),
        )
        manifest.write(self.folder)
        path = self.folder.with_name(manifest.made_at.replace("-", "").replace(":", ""))
        self.folder.rename(path)
        sync(path.parent)
        return Backup(path, manifest)


def _settings() -> dict[str, str]:
    told = {name: os.environ[name] for name in OPEN_SETTINGS if os.environ.get(name)}
    if address := os.environ.get(DATABASE_VARIABLE):
        told[DATABASE_VARIABLE] = make_url(address).render_as_string(hide_password=True)
    return told


def _unsound(problems: Sequence[str]) -> str:
    return (
        f"the home is not sound ({problems[0]}): no backup was made; `verify` tells more, and "
        "`--despite-damage` backs up what there is"
    )


def _words_of(missing: Sequence[str], n_total: int) -> str:
    return (
        f"{len(missing)} of {n_total} artifacts are missing or damaged in the home, the first "
        f"{missing[0]}: no backup was made; `verify` names them all, and `--despite-damage` backs "
        "up the rest"
    )
