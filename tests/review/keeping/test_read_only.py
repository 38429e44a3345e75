"""A home on a disk that is mounted for reading, as far as permissions can make one."""

import ctypes
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from review.keeping.manifest import whole
from review.settings import DATABASE_VARIABLE, HOME_VARIABLE
from review.workspace import Workspace
from tests.review.keeping import homes

ROOT = Path(__file__).parents[3]
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1  # capabilities(7)


@pytest.fixture
def home(workspace: Workspace) -> Iterator[Path]:
    """A home that may be read and not written."""
    homes.fill(workspace)
    homes.close(workspace)
    home = workspace.settings.home
    paths = [home, *home.rglob("*")]
    for path in paths:
        path.chmod(0o555 if path.is_dir() else 0o444)
    yield home
    for path in paths:
        path.chmod(0o755 if path.is_dir() else 0o644)


def bound_by_permissions() -> None:
    """Let permissions count for root too, from the next program on."""
    if os.getuid() == 0:
        ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0)


def run(home: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command as one whom permissions bind."""
    variables = {k: v for k, v in os.environ.items() if k != DATABASE_VARIABLE}
    return subprocess.run(
        [sys.executable, "-m", "review", *command],
        cwd=ROOT,
        env=variables | {HOME_VARIABLE: str(home)},
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=bound_by_permissions,
    )


def held(home: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_it_is_read_verified_exported_and_backed_up(home, tmp_path):
    before = held(home)
    listed = run(home, "user", "list")
    assert (listed.returncode, listed.stderr) == (0, "")
    assert "ada" in listed.stdout
    verified = run(home, "verify")
    assert (verified.returncode, verified.stderr) == (0, "")
    assert "1 verdicts" in verified.stdout
    archive = tmp_path / "export.zip"
    exported = run(home, "export", "--out", str(archive))
    assert (exported.returncode, exported.stderr) == (0, "")
    assert "not on record: the home may not be written" in exported.stdout
    assert "verdicts.csv" in zipfile.ZipFile(archive).namelist()
    backed_up = run(home, "backup", str(tmp_path / "backups"))
    assert (backed_up.returncode, backed_up.stderr) == (0, "")
    assert len(whole(tmp_path / "backups")) == 1
    assert held(home) == before


@pytest.mark.slow
def test_what_would_write_says_that_it_cannot(home):
    before = held(home)
    served = run(home, "serve", "--port", "0")
    assert served.returncode == 1
    assert "may not be written, so nobody could sign in" in served.stderr
    assert "verify, export, backup, user list" in served.stderr
    added = run(home, "user", "add", "eve", "--role", "reader")
    assert added.returncode == 1
    assert "may not be written" in added.stderr
    assert served.stderr.count("\n") == added.stderr.count("\n") == 1
    assert held(home) == before
