"""Bytes kept by content, in files named by their SHA-256."""

import hashlib
import os
import tempfile
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from sqlalchemy import delete, select, text
from sqlalchemy.orm import Session

from db.errors import ArtifactError, StorageError
from db.inserting import insert_if_new
from db.tables import Artifact, Base

FILES_LOCK = 0x5EC0D1CC

PARTIAL = ".partial-"
LEFTOVER_SECONDS = 3600.0  # nobody is at one file for so long


class ArtifactStore:
    """Content-addressed files under one folder; a file appears whole or not at all."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, sha256: str) -> Path:
        """Return where the bytes with this hash lie."""
        return self.root / sha256[:2] / sha256[2:]

    def exists(self, sha256: str) -> bool:
        """Return whether the bytes with this hash are kept."""
        return self.path(sha256).is_file()

    def is_whole(self, sha256: str) -> bool:
        """Return whether the bytes with this hash are kept and undamaged."""
        try:
            with self.path(sha256).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest() == sha256
        except OSError:
            return False

    def put(self, session: Session, data: bytes, *, media_type: str) -> str:
        """Keep bytes, once, and return their SHA-256; a file that was damaged is whole again.

        The file is written and synced before the row, so a committed row always has its file.

        Raises:
            StorageError: If the bytes cannot be written; nothing is left behind.
        """
        sha256 = hashlib.sha256(data).hexdigest()
        path = self.path(sha256)
        _lock_files(session, "pg_advisory_xact_lock_shared")
        try:
            if not self.is_whole(sha256):
                self._write(path, data)
            # Also where another process has just written the file: its rename may not be on disk.
            _sync_folder(path.parent)
        except OSError as exc:
            raise StorageError(
                f"cannot store {len(data):,} bytes under {self.root} ({exc.strerror}): "
                "make room or check the folder's permissions, then try again"
            ) from exc
        row = {"sha256": sha256, "media_type": media_type, "n_bytes": len(data)}
        insert_if_new(session, Artifact, row)
        return sha256

    def read(self, sha256: str) -> bytes:
        """Return the bytes with this hash, checked.

        Raises:
            ArtifactError: If the file is missing or its content has changed.
        """
        try:
            data = self.path(sha256).read_bytes()
        except OSError as exc:
            raise ArtifactError(f"artifact {sha256} cannot be read: {exc.strerror}") from exc
        if hashlib.sha256(data).hexdigest() != sha256:
            raise ArtifactError(
                f"artifact {sha256} is damaged: its content has another hash. Bring the file it "
                "came from in again, or restore it from a backup"
            )
        return data

    def let_go(self, session: Session, hashes: Collection[str]) -> list[str]:
        """Remove the rows of these artifacts that no other row refers to; return their hashes.

        Their files are for `erase`, once the caller's transaction is committed: a transaction that
        fails must have lost none.
        """
        session.flush()
        uses = [
            select(column).where(column == Artifact.sha256).exists()
            for table in Base.metadata.tables.values()
            for column in table.columns
            if any(key.column.table is Artifact.__table__ for key in column.foreign_keys)
        ]
        chosen = delete(Artifact).where(Artifact.sha256.in_(hashes), *(~used for used in uses))
        return list(session.scalars(chosen.returning(Artifact.sha256)))

    def erase(self, session: Session, hashes: Collection[str]) -> list[str]:
        """Remove the files of these artifacts that have no row; return the hashes of those removed.

        Raises:
            ArtifactError: If a file cannot be removed.
        """
        _lock_files(session, "pg_advisory_xact_lock")  # nobody is just putting them back
        kept = set(session.scalars(select(Artifact.sha256).where(Artifact.sha256.in_(hashes))))
        gone = [sha256 for sha256 in hashes if sha256 not in kept and self.exists(sha256)]
        for sha256 in gone:
            try:
                self.path(sha256).unlink(missing_ok=True)
                _sync_folder(self.path(sha256).parent)
            except OSError as exc:
                raise ArtifactError(f"artifact {sha256} cannot be removed: {exc.strerror}") from exc
        return gone

    def sweep(self) -> int:
        """Remove what writers that were killed have left half-written; return how many files."""
        oldest = time.time() - LEFTOVER_SECONDS
        n_swept = 0
        for path in self.root.glob(f"*/{PARTIAL}*"):
            with suppress(OSError):  # another process sweeps too
                if path.stat().st_mtime < oldest:
                    path.unlink()
                    n_swept += 1
        return n_swept

    def _write(self, path: Path, data: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _sync_folder(self.root)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=PARTIAL)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


def _lock_files(session: Session, how: str) -> None:
    """Keep putting and erasing apart; on SQLite the transaction's write lock does so already."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text(f"SELECT {how}(:key)"), {"key": FILES_LOCK})


def _sync_folder(path: Path) -> None:
    """Put the names in a folder on disk; a rename or a new folder may be lost without."""
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
