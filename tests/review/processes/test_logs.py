import json
import logging
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from review.errors import SettingsError, incident
from review.processes import logs

ROOT = Path(logs.__file__).parents[2]
WRITER = """
import logging, sys
from review.processes import logs
logs.configure()
for number in range(400):
    logging.getLogger("review").warning("%s %d %s", sys.argv[1], number, "x" * 100)
"""


@pytest.fixture(autouse=True)
def loggers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Leave logging as it was."""
    for name in (logs.FORMAT_VARIABLE, logs.FILE_VARIABLE, logs.SIZE_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in logs.OURS}
    yield
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[dict]]:
    """Log to a file as JSON; returns the lines."""
    path = tmp_path / "logs" / "second-look.jsonl"
    monkeypatch.setenv(logs.FILE_VARIABLE, str(path))
    logs.configure()
    return lambda: [json.loads(line) for line in path.read_text().splitlines()]


def test_a_terminal_gets_readable_lines_unless_asked_otherwise(capsys):
    logs.configure()
    logging.getLogger("review.x").warning("told %d times", 2)
    assert capsys.readouterr().err == "WARNING review.x: told 2 times\n"


def test_json_lines_go_to_the_terminal_where_asked(capsys, monkeypatch):
    monkeypatch.setenv(logs.FORMAT_VARIABLE, "json")
    logs.configure()
    logging.getLogger("review.x").warning("told %d times", 2)
    line = json.loads(capsys.readouterr().err)
    assert (line["level"], line["logger"], line["message"]) == (
        "warning",
        "review.x",
        "told 2 times",
    )
    assert line["time"].endswith("+00:00")


def test_a_line_tells_the_request_that_it_belongs_to(written):
    token = logs.request_id.set("request-1")
    logging.getLogger("ui.http").info("request", extra={"fields": {"status": 200}})
    logs.request_id.reset(token)
    logging.getLogger("ui.http").info("later")
    first, second = written()
    assert (first["request"], first["status"]) == ("request-1", 200)
    assert "request" not in second


def test_an_error_is_told_by_type_and_place_and_not_by_its_words(written):
    try:
        try:
            Path("/no/MUELLER^ANNA.dcm").read_bytes()
        except OSError as exc:
            raise ValueError("patient MUELLER") from exc
    except ValueError as exc:
        number = incident(logging.getLogger("review.x"), "job 7", exc)
    (line,) = written()
    assert line["message"] == f"incident {number}: job 7"
    assert line["error"]["type"] == "ValueError"
    assert line["error"]["cause"]["type"] == "FileNotFoundError"
    assert line["error"]["at"][0].startswith("tests/review/processes/test_logs.py:")
    assert "MUELLER" not in json.dumps(line)
    assert str(ROOT) not in json.dumps(line)


@pytest.mark.parametrize("name", ["pydicom", "PIL.Image", "streamlit.runtime", "root"])
def test_the_words_of_libraries_are_withheld(written, name):
    logging.getLogger(name).warning("Invalid value for VR PN: 'MUELLER^ANNA'")
    assert written()[0]["message"] == logs.WITHHELD


def test_so_are_warnings(written):
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn("Invalid value: 'MUELLER^ANNA'", UserWarning, stacklevel=1)
        logging.captureWarnings(capture=False)
    assert written()[0]["message"] == logs.WITHHELD


def test_a_line_break_stays_within_its_line(written):
    logging.getLogger("review").warning("one\ntwo\x1b[31m \u2028")
    (line,) = written()
    assert line["message"] == "one\ntwo\x1b[31m \u2028"


def test_a_log_that_several_processes_write_is_bounded_and_no_line_is_torn(tmp_path):
    path = tmp_path / "log.jsonl"
    code = WRITER.replace("logs.configure()", "logs._megabytes = lambda: 0.02; logs.configure()")
    environment = {"PATH": "", logs.FILE_VARIABLE: str(path), "PYTHONPATH": str(ROOT)}
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", code, name],
            cwd=ROOT,
            env=environment,
            stderr=subprocess.DEVNULL,
        )
        for name in ("a", "b")
    ]
    assert [writer.wait() for writer in writers] == [0, 0]
    files = [file for file in tmp_path.iterdir() if file.suffix != ".lock"]
    assert len(files) == logs.N_KEPT + 1
    assert all(file.stat().st_size <= 20_000 for file in files)
    assert all(file.stat().st_mode & 0o077 == 0 for file in files)
    said = [json.loads(line)["message"] for file in files for line in file.read_text().splitlines()]
    assert len(said) == len(set(said))
    assert {one.split()[0] for one in said} == {"a", "b"}


def test_a_full_disk_costs_lines_and_nothing_else(written, tmp_path):
    logging.getLogger("review").warning("before")
    (tmp_path / "logs" / "second-look.jsonl").unlink()
    (tmp_path / "logs" / "second-look.jsonl").mkdir()  # nothing can be appended to it
    logging.getLogger("review").warning("lost")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        (logs.FORMAT_VARIABLE, "xml", "allowed are lines, json"),
        (logs.SIZE_VARIABLE, "0", "allowed are 1 to 10000"),
        (logs.SIZE_VARIABLE, "ten", "allowed are 1 to 10000"),
    ],
)
def test_a_setting_that_is_none_is_refused(monkeypatch, tmp_path, name, value, said):
    monkeypatch.setenv(logs.FILE_VARIABLE, str(tmp_path / "log"))
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=said):
        logs.configure()


def test_a_log_file_that_cannot_be_written_is_said(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv(logs.FILE_VARIABLE, str(tmp_path / "file" / "log"))
    with pytest.raises(SettingsError, match="cannot write"):
        logs.configure()
