"""Folders that work is done in, and what is left of those whose process was killed."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = ".export-"  # also of what earlier versions left


@contextmanager
def working_folder(parent: Path) -> Iterator[Path]:
    """Yield a new folder; it is locked while it is used and gone afterwards."""
    with tempfile.TemporaryDirectory(dir=parent, prefix=PREFIX) as name:
        folder = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield Path(name)
        finally:
            os.close(folder)


def sweep(parent: Path) -> int:
    """Remove the folders whose process is gone, with all they hold; return how many."""
    n_swept = 0
    for path in parent.glob(f"{PREFIX}*"):
        try:
            folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path)
            n_swept += 1
        except OSError:  # somebody is at work in it, or sweeps it too
            continue
        finally:
            os.close(folder)
    return n_swept
