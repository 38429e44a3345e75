"""What a backup says of itself, and whether that is so.

A folder of backups holds `artifacts/`, which all of them share, and a folder a backup, named by the
time it was begun. A backup has that name only once it is whole and on disk.
"""

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from db.contents import Contents
from review.errors import BackupError

FORMAT = 1
MANIFEST, SUMS, PARTIAL = "manifest.json", "SHA256SUMS", ".partial-"
CHECKPOINTS = "checkpoints*.jsonl"  # and their stamps


@dataclass(frozen=True)
class Manifest:
    """What a backup holds.

    Attributes:
        made_at: When it was begun, in UTC.
        kind: Of the database: "sqlite" or "postgresql".
        schema: The database's schema.
        heads: Of each chain, how many rows it has and the hash of the last.
        n_rows: How many rows each table has.
        artifacts: Where the artifacts lie, seen from the backup's folder.
        n_artifacts: How many the database names.
        n_artifact_bytes: Their size.
        missing: Those that were missing or damaged in the home already.
        problems: What else was wrong with it already.
        files: Hash and size of each file of the backup itself, by name.
        software: Versions that it was made with.
        settings: The environment's settings, without secrets.
        format: Of this manifest.
    """

    made_at: str
    kind: str
    schema: str
    heads: dict[str, dict[str, Any]]
    n_rows: dict[str, int]
    artifacts: str
    n_artifacts: int
    n_artifact_bytes: int
    missing: list[str]
    problems: list[str]
    files: dict[str, dict[str, Any]]
    software: dict[str, str]
    settings: dict[str, str]
    format: int = FORMAT

    @property
    def contents(self) -> Contents:
        """What the database held."""
        return Contents(self.schema, self.heads, self.n_rows)

    def write(self, folder: Path) -> None:
        """Write it, last of all files, and put the whole folder on disk."""
        text = json.dumps(asdict(self), indent=1, sort_keys=True, ensure_ascii=False)
        (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")
        for file in folder.iterdir():
            file.chmod(0o600)
            sync(file)
        sync(folder)

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """Read the manifest of a backup.

        Raises:
            BackupError: If there is none, or it is none of this version's.
        """
        try:
            found = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
            if found["format"] != FORMAT:
                raise BackupError(
                    f"{folder} was made by another version (format {found['format']}, "
                    f"this one knows {FORMAT})"
                )
            return cls(**found)
        except OSError as exc:
            raise BackupError(f"{folder} is no whole backup: it has no {MANIFEST}") from exc
        except (ValueError, TypeError, KeyError) as exc:
            raise BackupError(f"{folder / MANIFEST} cannot be read: it was altered") from exc

    def check_files(self, folder: Path) -> None:
        """Hold the backup's own files against their hashes.

        Raises:
            BackupError: If one is missing or was altered.
        """
        for name, told in self.files.items():
            path = folder / Path(name).name
            if not path.is_file():
                raise BackupError(f"{folder} is not whole: {name} is missing")
            if file_facts(path) != told:
                raise BackupError(f"{folder} is damaged: {name} has another content")


def chosen(folder: Path) -> Path:
    """Return a backup: the folder itself, or the newest whole one inside it.

    Raises:
        BackupError: If there is none.
    """
    if (folder / MANIFEST).is_file():
        return folder
    found = whole(folder)
    if not found:
        raise BackupError(f"there is no whole backup in {folder}")
    return found[-1]


def whole(folder: Path) -> list[Path]:
    """Return the whole backups in a folder, the newest last."""
    named = folder.glob(f"[!.]*/{MANIFEST}")
    return sorted(path.parent for path in named)


def file_facts(path: Path) -> dict[str, Any]:
    """Return a file's hash and size."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return {"sha256": digest, "n_bytes": file.tell()}


def sync(path: Path) -> None:
    """Put a file's content, or the names in a folder, on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
