"""Checkpoints stamped by an authority of the test's own: real `openssl ts` on both sides."""

import base64
import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from review.audit import checkpoints, stamps
from review.cli import parser
from review.settings import HOME_VARIABLE, Settings
from tests.review.audit.test_signed_checkpoints import pem, verified
from tests.review.verdicts import tampered

AUTHORITY = """
[tsa]
default_tsa = site
[site]
serial = serial
signer_cert = signer.pem
signer_key = signer.key
default_policy = 1.2.3.4
digests = sha256
signer_digest = sha256
"""


def openssl(*arguments: str, cwd: Path) -> None:
    subprocess.run(["openssl", *arguments], cwd=cwd, check=True, capture_output=True)


def authority(folder: Path) -> Path:
    """Make a certificate authority and a stamping certificate of it."""
    folder.mkdir()
    (folder / "site.cnf").write_text(AUTHORITY)
    (folder / "serial").write_text("01")
    (folder / "use").write_text("extendedKeyUsage=critical,timeStamping\n")
    key = ("-newkey", "rsa:2048", "-nodes")
    ca = ("-x509", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=authority", "-days", "2")
    openssl("req", *key, *ca, cwd=folder)
    request = ("-keyout", "signer.key", "-out", "request", "-subj", "/CN=stamps")
    openssl("req", "-new", *key, *request, cwd=folder)
    by = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "use", "-days", "2")
    openssl("x509", "-req", "-in", "request", *by, "-out", "signer.pem", cwd=folder)
    return folder


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return authority(tmp_path_factory.mktemp("trusted") / "ca")


@pytest.fixture
def served(trusted: Path, tmp_path: Path) -> Iterator[str]:
    """An authority that answers on loopback; yields its address."""

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query, reply = tmp_path / "query", tmp_path / "reply"
            query.write_bytes(self.rfile.read(int(self.headers["Content-Length"])))
            files = ("-queryfile", str(query), "-out", str(reply))
            openssl("ts", "-reply", "-config", "site.cnf", *files, cwd=trusted)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(reply.read_bytes() if self.path == "/stamp" else b"busy")

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def home(tmp_path: Path, empty_database: Path, monkeypatch, served: str, trusted: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(empty_database, home / "second-look.db")
    ws = tampered.opened(home)
    tampered.fill(ws)
    ws.sessions.kw["bind"].dispose()
    monkeypatch.setenv(HOME_VARIABLE, str(home))
    monkeypatch.delenv("SECOND_LOOK_DATABASE_URL", raising=False)
    monkeypatch.delenv(checkpoints.FILE_VARIABLE, raising=False)
    monkeypatch.setenv(checkpoints.KEY_VARIABLE, pem())
    monkeypatch.setenv(stamps.URL_VARIABLE, f"{served}/stamp")
    monkeypatch.setenv(stamps.CA_VARIABLE, str(trusted / "ca.pem"))
    return home


def kept(home: Path) -> Path:
    return home / "checkpoints.stamps.jsonl"


def test_a_checkpoint_is_stamped_and_the_stamp_checked(home, capsys):
    assert parser.main(["checkpoint"]) == 0
    assert "stamped as of" in capsys.readouterr().out
    status, lines = verified(capsys)
    assert status == 0
    assert any(line.startswith("1 of them stamped: by 20") for line in lines)


def test_only_a_hash_leaves_the_house(home, capsys, tmp_path):
    parser.main(["checkpoint"])
    line = (home / "checkpoints.jsonl").read_text()
    query = (tmp_path / "query").read_bytes()
    assert json.loads(line)["verdicts"]["row_sha256"].encode() not in query
    assert len(query) < 100


def test_a_checkpoint_that_is_gone_is_missed_by_its_stamp(home, capsys):
    parser.main(["checkpoint"])
    (home / "checkpoints.jsonl").write_text("")
    status, lines = verified(capsys)
    assert status == 1
    assert "PROBLEM stamp 1: its checkpoint is not there any more, or was altered" in lines


def test_a_stamp_of_another_checkpoint_is_found(home, capsys):
    for _ in range(2):
        parser.main(["checkpoint"])
    first, second = (json.loads(line) for line in kept(home).read_text().splitlines())
    swapped = first | {"response": second["response"]}
    kept(home).write_text(json.dumps(swapped) + "\n" + json.dumps(second) + "\n")
    status, lines = verified(capsys)
    assert status == 1
    assert "PROBLEM stamp 1: the answer is no stamp of this checkpoint" in lines


def test_a_stamp_of_somebody_else_is_found(home, capsys, tmp_path, monkeypatch):
    parser.main(["checkpoint"])
    stranger = authority(tmp_path / "stranger")
    monkeypatch.setenv(stamps.CA_VARIABLE, str(stranger / "ca.pem"))
    status, lines = verified(capsys)
    assert status == 1
    assert "PROBLEM stamp 1: openssl finds that it is no stamp of this authority" in lines


def test_an_altered_stamp_is_found(home, capsys):
    parser.main(["checkpoint"])
    entry = json.loads(kept(home).read_text())
    answer = bytearray(base64.b64decode(entry["response"]))
    answer[-1] ^= 1  # the last byte of its signature
    entry["response"] = base64.b64encode(answer).decode()
    kept(home).write_text(json.dumps(entry) + "\n")
    assert verified(capsys)[0] == 1
    kept(home).write_text("nonsense\n")
    assert "PROBLEM stamp 1: cannot be read" in verified(capsys)[1]


def test_a_clock_that_ran_ahead_shows(home, capsys, monkeypatch):
    ahead = checkpoints.now() + stamps.CLOCKS_APART * 2
    monkeypatch.setattr(checkpoints, "now", lambda: ahead)
    parser.main(["checkpoint"])
    status, lines = verified(capsys)
    assert status == 1
    assert any("stamp 1: it is of" in line and "its checkpoint says" in line for line in lines)


def test_without_a_certificate_it_says_that_nobody_checked(home, capsys, monkeypatch):
    parser.main(["checkpoint"])
    monkeypatch.delenv(stamps.CA_VARIABLE)
    status, lines = verified(capsys)
    assert status == 0
    said = "1 of them stamped: by whom was not checked (SECOND_LOOK_STAMP_CA names no certificate)"
    assert said in lines


@pytest.mark.parametrize("path", ["busy", None])
def test_no_stamp_is_an_error_and_the_checkpoint_stands(
    home, capsys, monkeypatch, served, path, free_tcp_port
):
    url = f"{served}/{path}" if path else f"http://127.0.0.1:{free_tcp_port}/"
    monkeypatch.setenv(stamps.URL_VARIABLE, url)
    assert parser.main(["checkpoint"]) != 0
    assert "stamp" in capsys.readouterr().err
    assert not kept(home).exists()
    assert checkpoints.read(Settings.load()).n == 1


def test_an_address_that_is_none_is_refused_in_words(home, capsys, monkeypatch):
    monkeypatch.setenv(stamps.URL_VARIABLE, "file:///etc/passwd")
    assert parser.main(["checkpoint"]) != 0
    assert "an address of http:// or https:// only" in capsys.readouterr().err
