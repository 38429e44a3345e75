import subprocess
import sys
from pathlib import Path

from review import leftovers
from tests.server import ROOT


def test_a_folder_that_is_used_is_left_alone_and_gone_afterwards(tmp_path: Path):
    with leftovers.working_folder(tmp_path) as folder:
        (folder / "verdicts.csv").touch()
        assert leftovers.sweep(tmp_path) == 0
        assert (folder / "verdicts.csv").exists()
    assert not list(tmp_path.iterdir())


def test_the_folder_of_a_killed_process_is_swept(tmp_path: Path):
    code = f"""
import os, pathlib, signal
from review import leftovers
with leftovers.working_folder(pathlib.Path({str(tmp_path)!r})) as folder:
    (folder / "record.db").write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT)
    (folder,) = tmp_path.iterdir()
    assert leftovers.sweep(tmp_path) == 1
    assert not folder.exists()


def test_other_files_are_left_alone(tmp_path: Path):
    (tmp_path / "second-look-export-1.zip").touch()
    (tmp_path / ".export-x").touch()
    assert leftovers.sweep(tmp_path) == 0
    assert leftovers.sweep(tmp_path / "absent") == 0
    assert len(list(tmp_path.iterdir())) == 2
