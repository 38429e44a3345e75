"""Making a home of a backup: into an empty place only, and verified before anybody may use it.

A file in the home says that it is not whole yet; nothing but another `restore` opens it then.
"""

import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine, inspect, update

from db import audit, copies
from db.artifacts import ArtifactStore
from db.contents import Contents, artifacts
from db.engine import engine_at, open_database, snapshot
from db.migrate import NEWEST
from db.tables import PendingSignIn, SignInToken, WebSession
from db.types import AuditKind, now
from review import in_use
from review.audit.walk import Expected
from review.errors import BackupError
from review.identity import settled
from review.keeping.artifacts import copy_all
from review.keeping.manifest import CHECKPOINTS, Manifest, chosen, sync
from review.policy import OperatingSystemUser
from review.progress import Progress
from review.settings import IDENTITY_KEY, Settings
from review.verdicts.verify import size_problem, verify
from review.workspace import Workspace

# What may lie in a home that counts as empty: a disk of its own has the second.
NOTHING = {in_use.LOCKS, "lost+found"}


@dataclass(frozen=True)
class Restored:
    """A home that was made of a backup.

    Attributes:
        source: The backup.
        manifest: What it held.
        n_ended: How many sessions and sign-in links were ended.
    """

    source: Path
    manifest: Manifest
    n_ended: int

    @property
    def is_old(self) -> bool:
        """Whether it has to be upgraded before it can be verified and used."""
        return self.manifest.schema != NEWEST


def restore(
    settings: Settings, folder: Path, *, key: Path | None = None, progress: Progress | None = None
) -> Restored:
    """Make a home of a backup and verify it; what was restored before an interruption is kept.

    Args:
        settings: Of the home to make.
        folder: A backup, or a folder of backups, of which the newest is taken.
        key: The site's key, where it was kept apart from the backup.
        progress: Called with (artifacts done, artifacts in all).

    Raises:
        BackupError: If the home or the database is not empty, the backup is not whole, or what
            was made of it is not what it says; the home then stays shut.
        CopyError: If the database cannot be restored.
    """
    source = chosen(folder)
    manifest = Manifest.read(source)
    manifest.check_files(source)
    engine = engine_at(settings.database_url)
    try:
        _refuse_another_kind(manifest, engine, settings)
        _begin(settings.home, source)
        with in_use.alone(settings.home):
            _database(source, manifest, engine)
            _artifacts(source, manifest, engine, settings, progress)
            _rest(source, manifest, settings, key)
            n_ended = _end_sessions(engine)
            if manifest.schema == NEWEST:
                _verify(settings, manifest)
            _end(settings.home)
    except OSError as exc:
        raise BackupError(
            f"cannot restore to {settings.home} ({exc.strerror}: {exc.filename}): run it again"
        ) from exc
    finally:
        engine.dispose()
    return Restored(source, manifest, n_ended)


def _refuse_another_kind(manifest: Manifest, engine: Engine, settings: Settings) -> None:
    if manifest.schema > NEWEST:
        raise BackupError(f"a newer version made this backup (schema {manifest.schema}): update")
    if engine.dialect.name != manifest.kind:
        raise BackupError(
            f"the backup holds a {manifest.kind} database and SECOND_LOOK_DATABASE_URL names a "
            f"{engine.dialect.name} one: set it to one of the backup's kind (`python -m review "
            "copy-to` brings SQLite to PostgreSQL afterwards)"
        )
    if manifest.kind == "sqlite" and Path(engine.url.database or "").parent != settings.home:
        raise BackupError("a backup of SQLite is restored into its home: unset the database's URL")


def _begin(home: Path, source: Path) -> None:
    """Mark the home as unfinished, if it is empty or was so marked by the same backup."""
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    mark = home / in_use.UNFINISHED
    if mark.exists():
        if mark.read_text(encoding="utf-8") != source.name:
            raise BackupError(
                f"{home} is half restored from another backup, {mark.read_text(encoding='utf-8')}: "
                "restore that one, or empty the folder"
            )
        return
    if found := sorted(path.name for path in home.iterdir() if path.name not in NOTHING):
        raise BackupError(
            f"{home} is not empty (it has {found[0]}): nothing was restored; name an empty folder "
            "by --home or SECOND_LOOK_HOME"
        )
    mark.write_text(source.name, encoding="utf-8")
    sync(mark)
    sync(home)


def _database(source: Path, manifest: Manifest, engine: Engine) -> None:
    if manifest.kind == "sqlite":
        target = Path(engine.url.database or "")
        copies.restore_sqlite(source / copies.SQLITE_FILE, target)
        sync(target)
    else:
        with snapshot(engine) as connection:
            there = Contents.of(connection)
        if there == manifest.contents:
            return  # an earlier attempt came so far
        if not there.is_empty:
            raise BackupError("the PostgreSQL database has tables already: nothing was restored")
        copies.restore_postgresql(source / copies.POSTGRESQL_FILE, engine)
    with snapshot(engine) as connection:
        if (found := Contents.of(connection)) != manifest.contents:
            raise BackupError(f"the restored database differs from the backup: {found.heads}")


def _artifacts(
    source: Path,
    manifest: Manifest,
    engine: Engine,
    settings: Settings,
    progress: Progress | None,
) -> None:
    with snapshot(engine) as connection:
        named = list(artifacts(connection))
    missing = copy_all(
        named,
        ArtifactStore(source / manifest.artifacts),
        ArtifactStore(settings.artifacts_path),
        n_total=len(named),
        trusts_sizes=False,
        progress=progress,
    )
    if lost := sorted(set(missing) - set(manifest.missing)):
        raise BackupError(
            f"{len(lost)} artifacts are missing or damaged in the backup, the first {lost[0]}: "
            "the home is not whole and stays shut"
        )


def _rest(source: Path, manifest: Manifest, settings: Settings, key: Path | None) -> None:
    if key is None and IDENTITY_KEY not in manifest.files:
        raise BackupError("the site's key is not in this backup: name its file by --identity-key")
    found = {path.name: path for path in source.glob(CHECKPOINTS)}
    for name, path in {**found, IDENTITY_KEY: key or source / IDENTITY_KEY}.items():
        partial = settings.home / f".partial-{name}"
        partial.touch(mode=0o600)
        shutil.copyfile(path, partial)
        sync(partial)
        partial.replace(settings.home / name)
    sync(settings.home)


def _verify(settings: Settings, manifest: Manifest) -> None:
    sessions = open_database(settings.database_url)
    try:
        key = settings.identity_key_path.read_bytes()
        made = Settings(settings.home, settings.database_url, key)
        ws = Workspace(settled(made, sessions), ArtifactStore(settings.artifacts_path), sessions)
        expected = [
            Expected(chain, head["n_rows"], head["row_sha256"], "the backup")
            for chain, head in manifest.heads.items()
        ]
        # Each artifact was read while it was copied.
        found = verify(
            ws,
            by=OperatingSystemUser.current(),
            expected=expected,
            check_artifact=size_problem,
        )
        if new := [problem for problem in found.problems if problem not in manifest.problems]:
            raise BackupError(f"what was restored is not sound and stays shut: {new[0]}")
        _tell(ws, manifest)
    finally:
        sessions.kw["bind"].dispose()


def _end_sessions(engine: Engine) -> int:
    """End sessions and links: one that was ended or used since would be good again."""
    at = now()
    ended = {
        "web_sessions": update(WebSession)
        .where(WebSession.revoked_at.is_(None))
        .values(revoked_at=at),
        "sign_in_tokens": update(SignInToken)
        .where(SignInToken.used_at.is_(None))
        .values(used_at=at),
        "pending_sign_ins": update(PendingSignIn)
        .where(PendingSignIn.spent_at.is_(None))
        .values(spent_at=at),
    }
    there = inspect(engine).get_table_names()  # a backup of an older schema may lack one
    with engine.begin() as connection:
        return sum(connection.execute(ended[name]).rowcount for name in ended if name in there)


def _tell(ws: Workspace, manifest: Manifest) -> None:
    """Put on the audit chain that it goes on from a backup."""
    with ws.begin() as session:
        audit.append(
            session.connection(),
            kind=AuditKind.RESTORED,
            actor_id=None,
            subject="record",
            subject_id="",
            content={
                "state": {"made_at": manifest.made_at, **manifest.heads},
                "by": str(OperatingSystemUser.current()),
            },
        )


def _end(home: Path) -> None:
    with suppress(FileNotFoundError):
        (home / in_use.UNFINISHED).unlink()
    sync(home)
