"""Copying artifacts from one store to another: each once, whole, and known by its hash."""

import hashlib
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from db.artifacts import ArtifactStore
from review.keeping.manifest import sync
from review.progress import Progress

CHUNK = 1 << 20


def copy_all(
    artifacts: Iterable[tuple[str, int]],
    source: ArtifactStore,
    target: ArtifactStore,
    *,
    n_total: int,
    trusts_sizes: bool,
    progress: Progress | None,
) -> list[str]:
    """Copy artifacts that the target does not have yet; return those that the source lacks.

    What was copied before an interruption is there the next time.

    Args:
        artifacts: Hash and size of each.
        source: Where they are.
        target: Where they shall be too.
        n_total: How many there are.
        trusts_sizes: Whether a file of the right name and size is taken for the right one; else it
            is read.
        progress: Called with (artifacts done, artifacts in all).
    """
    missing, folders = [], set[Path]()
    for n_done, (sha256, n_bytes) in enumerate(artifacts, start=1):
        path = target.path(sha256)
        if _has(path, sha256, n_bytes, trusts_sizes=trusts_sizes) or _copy(
            source.path(sha256), path, sha256
        ):
            folders.add(path.parent)  # one copied before an interruption may have no name on disk
        else:
            missing.append(sha256)
        if progress is not None:
            progress(n_done, n_total)
    for folder in (*folders, *((target.root,) if folders else ())):
        sync(folder)
    return missing


def _has(path: Path, sha256: str, n_bytes: int, *, trusts_sizes: bool) -> bool:
    try:
        if path.stat().st_size != n_bytes:
            return False
        if trusts_sizes:
            return True
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except FileNotFoundError:
        return False


def _copy(source: Path, target: Path, sha256: str) -> bool:
    """Copy one file, or return False if it is not there or not what it is called."""
    try:
        file = source.open("rb")
    except FileNotFoundError:
        return False
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=".partial-")
    partial, digest = Path(name), hashlib.sha256()
    try:
        with file, os.fdopen(descriptor, "wb") as copy:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
                copy.write(chunk)
            copy.flush()
            os.fsync(copy.fileno())
        if digest.hexdigest() != sha256:
            return False
        partial.replace(target)
        return True
    finally:
        partial.unlink(missing_ok=True)
