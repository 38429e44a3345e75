import io
import sys
import zipfile
from pathlib import Path

import pytest

from imaging import incoming
from imaging.errors import CorruptImageError, DecodeTimeoutError, TooLargeError
from imaging.incoming import files_of
from imaging.limits import Limits

# Stands in for the unpacking process: ends, or stands still, at a file that is called so.
FRAGILE = """
import os, time
from imaging import unpacker
send = unpacker.send
def fragile(out, header, body):
    send(out, header, body)
    label = header.get("begins", "")
    if label.endswith("kills.png"):
        os._exit(1)
    if label.endswith("hangs.png"):
        time.sleep(600)
unpacker.send = fragile
unpacker.main()
"""


def zipped(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, name.encode())
    return buffer.getvalue()


@pytest.fixture
def fragile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the unpacking process be one that some files end."""
    script = tmp_path / "fragile.sh"
    (tmp_path / "fragile.py").write_text(FRAGILE)
    lines = [
        "#!/bin/sh",
        "shift 2",
        f'PYTHONPATH={incoming.ROOT} exec {sys.executable} {tmp_path}/fragile.py "$@"',
    ]
    script.write_text("\n".join(lines) + "\n")
    script.chmod(0o700)
    monkeypatch.setattr(incoming.sys, "executable", str(script))


def test_the_files_of_an_archive_come_out_of_a_process_of_their_own(tmp_path, monkeypatch):
    path = tmp_path / "set.zip"
    path.write_bytes(zipped("a.png", "b.png"))
    monkeypatch.setattr("imaging.archive.zipfile.ZipFile", None)  # nothing is unpacked here
    for source in (path, path.read_bytes()):
        found = [(entry.name, entry.data) for entry in files_of("set.zip", source)]
        assert found == [("set.zip/a.png", b"a.png"), ("set.zip/b.png", b"b.png")]


def test_a_file_that_is_no_archive_is_given_as_it_is(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"plain")
    for source in (path, b"plain", b""):
        (entry,) = files_of("a", source)
        assert entry.data == (source if isinstance(source, bytes) else b"plain")


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    path = tmp_path / "file"
    with path.open("wb") as file:
        file.truncate(2_000)
    (entry,) = files_of("a", path, limits=Limits(max_bytes=1_000))
    assert (entry.data, type(entry.error)) == (None, TooLargeError)


@pytest.mark.usefixtures("fragile")
def test_a_file_that_ends_or_stops_its_reader_holds_up_none_behind_it():
    data = zipped("a.png", "kills.png", "b.png", "hangs.png", "c.png")
    found = list(files_of("s", data, limits=Limits(max_seconds=6.0)))
    assert [entry.data for entry in found] == [b"a.png", None, b"b.png", None, b"c.png"]
    kinds = [type(entry.error) for entry in found if entry.error]
    assert kinds == [CorruptImageError, DecodeTimeoutError]


@pytest.mark.usefixtures("fragile")
def test_an_archive_of_nothing_else_is_given_up():
    found = list(files_of("s", zipped(*(f"{n}kills.png" for n in range(7)))))
    assert len(found) == incoming.MAX_DEATHS + 1
    assert "were not read" in str(found[-1].error)
