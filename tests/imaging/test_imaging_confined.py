"""What is given up is gone: tried in processes of their own, against the kernel that runs them.

Where a kernel offers no Landlock or seccomp, `confine` says so, and these hold it to no more.
"""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONFINED = "from imaging import confined; from pathlib import Path; stands = confined.confine({})\n"
TRY = """
try:
    {}
except OSError as exc:
    refused = True
else:
    refused = False
print(refused or {!r} not in stands)
"""


def said(code: str, *, readable: str = "") -> str:
    done = subprocess.run(
        [sys.executable, "-c", CONFINED.format(f"[{readable}]") + code],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("attempt", "by"),
    [
        ("import socket; socket.socket()", "network"),
        ("import socket; socket.socketpair()", "network"),
        ("import os; os.execv('/bin/true', ['true'])", "network"),
        ("import os; os.fork() or os._exit(0)", "network"),
        ("import os; os.kill(os.getppid(), 0)", "network"),
        ("import subprocess; subprocess.run(['/bin/true'])", "network"),
        ("open('/etc/passwd')", "files"),
        ("open('{home}/identity.key')", "files"),
        ("open('{home}/new', 'w')", "files"),
        ("Path('{home}/identity.key').unlink()", "files"),
        ("Path('{home}').iterdir().__next__()", "files"),
    ],
)
def test_what_is_given_up_is_gone(tmp_path: Path, attempt: str, by: str):
    (tmp_path / "identity.key").write_bytes(bytes(32))
    assert said(TRY.format(attempt.replace("{home}", str(tmp_path)), by)) == "True"
    assert (tmp_path / "identity.key").exists()


def test_what_is_named_can_still_be_read(tmp_path: Path):
    (tmp_path / "weights").write_text("0.5")
    code = f"print(Path({str(tmp_path / 'weights')!r}).read_text())"
    assert said(code, readable=f"Path({str(tmp_path)!r})") == "0.5"


def test_code_can_still_be_loaded_and_threads_started():
    code = "import threading, sqlite3; t = threading.Thread(target=print); t.start(); t.join()"
    assert said(f"{code}; print('done')") == "done"


def test_no_file_is_written_and_no_core_left(tmp_path: Path):
    code = f"""
from imaging import confined
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
confined.limit()
try:
    with open({str(tmp_path / "new")!r}, "wb", buffering=0) as file:
        file.write(b"x")
except OSError:
    print("refused")
"""
    assert said(code) == "refused"
