"""Against somebody who rewrites every row, every hash and both heads."""

import json
import shutil
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlalchemy import select, update

from db import audit
from db import verdicts as chain
from db.tables import AuditEvent, Setting, Verdict
from review.audit import checkpoints
from review.cli import parser
from review.errors import SettingsError
from review.settings import HOME_VARIABLE
from tests.builders import OPERATOR
from tests.review.verdicts import tampered


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Path:
    home = tmp_path_factory.mktemp("honest")
    shutil.copy(empty_database, home / "second-look.db")
    ws = tampered.opened(home)
    tampered.fill(ws)
    ws.sessions.kw["bind"].dispose()
    return home


@pytest.fixture
def home(honest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = Path(shutil.copytree(honest, tmp_path / "home"))
    monkeypatch.setenv(HOME_VARIABLE, str(home))
    monkeypatch.delenv("SECOND_LOOK_DATABASE_URL", raising=False)
    monkeypatch.delenv(checkpoints.FILE_VARIABLE, raising=False)
    monkeypatch.setenv(checkpoints.KEY_VARIABLE, pem())
    return home


def pem(kind: type = Ed25519PrivateKey) -> str:
    key = kind.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def verified(capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, list[str]]:
    """Return the status of `verify` and the lines it printed."""
    capsys.readouterr()
    status = parser.main(["verify", *options])
    return status, capsys.readouterr().out.splitlines()


def heads(capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    _, lines = verified(capsys)
    return lines[-3].split()[-1], lines[-2].split()[-1]


def rewrite(home: Path) -> None:
    """Change a verdict and an event, and make every hash and both heads fit."""
    tampered.tamper(home, ["UPDATE verdicts SET comment = 'x' WHERE id = 2"])
    ws = tampered.opened(home)
    with ws.begin() as session:
        guards = session.connection().exec_driver_sql(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
        )
        for name, _ in (kept := guards.all()):
            session.connection().exec_driver_sql(f"DROP TRIGGER {name}")
        for table, key, hashed in (
            (Verdict, chain.HEAD_KEY, chain.row_sha256),
            (AuditEvent, audit.HEAD_KEY, audit.row_sha256),
        ):
            previous = chain.GENESIS
            for row in session.scalars(select(table).order_by(table.id)).all():
                if isinstance(row, AuditEvent) and row.id == 5:
                    row.actor_id = 2
                row.previous_sha256 = previous
                row.row_sha256 = previous = hashed(row)
                session.flush()
            value = {"n_rows": row.id, "row_sha256": previous}
            session.execute(update(Setting).where(Setting.key == key).values(value=value))
        for _, sql in kept:
            session.connection().exec_driver_sql(sql)
    ws.sessions.kw["bind"].dispose()


def test_a_chain_that_was_rewritten_looks_right_by_itself(home, capsys):
    rewrite(home)
    assert verified(capsys)[0] == 0


def test_a_head_that_was_noted_elsewhere_shows_a_rewritten_chain(home, capsys):
    verdicts, events = heads(capsys)
    assert verified(capsys, "--expect", verdicts, "--expect", events)[0] == 0
    rewrite(home)
    status, lines = verified(capsys, "--expect", verdicts)
    assert status == 1
    assert lines[0].startswith("PROBLEM verdict 4: its hash is ")
    assert lines[0].endswith(f" and --expect has {verdicts.split(':')[1]}")
    status, lines = verified(capsys, "--expect", events)
    assert status == 1
    assert lines[0].startswith("PROBLEM audit event 12: its hash is ")


def test_a_head_of_the_accesses_shows_that_they_were_rewritten(home, capsys):
    head = verified(capsys)[1][-1].split()[-1]
    assert head.startswith("accesses:")
    assert verified(capsys, "--expect", head)[0] == 0
    n_rows = int(head.split(":")[1])
    status, lines = verified(capsys, "--expect", f"accesses:{n_rows}:{'a' * 64}")
    assert status == 1
    assert lines[0].startswith(f"PROBLEM access {n_rows}: its hash is ")


def test_a_checkpoint_covers_the_accesses(home, capsys):
    assert parser.main(["checkpoint"]) == 0
    statements = ["DELETE FROM accesses", "DELETE FROM settings WHERE key = 'access_chain_head'"]
    tampered.tamper(home, statements)
    status, lines = verified(capsys)
    assert status == 1
    assert any(line.startswith("PROBLEM access chain: checkpoint 1 of 20") for line in lines)


def test_a_checkpoint_from_before_there_were_accesses_still_counts(home, capsys, monkeypatch):
    monkeypatch.setattr(checkpoints, "FORMAT", 1)
    assert parser.main(["checkpoint"]) == 0
    monkeypatch.undo()
    monkeypatch.setenv(HOME_VARIABLE, str(home))
    assert verified(capsys)[0] == 0
    rewrite(home)
    assert "checkpoint 1 of 20" in verified(capsys)[1][0]


def test_a_head_beyond_the_end_shows_a_chain_that_was_cut(home, capsys):
    status, lines = verified(capsys, "--expect", f"9:{'a' * 64}")
    assert status == 1
    assert "PROBLEM verdict chain: --expect has 9 verdicts and 4 are there" in lines


@pytest.mark.parametrize("text", ["4", "4:abc", f"other:4:{'a' * 64}", f"x:{'a' * 64}"])
def test_a_head_that_is_none_is_refused(home, capsys, text):
    with pytest.raises(SystemExit):
        parser.main(["verify", "--expect", text])
    assert "audit:N:HASH" in capsys.readouterr().err


def test_a_checkpoint_shows_a_rewritten_chain(home, capsys):
    assert parser.main(["checkpoint"]) == 0
    assert verified(capsys)[0] == 0
    rewrite(home)
    status, lines = verified(capsys)
    assert status == 1
    assert "PROBLEM verdict 4: its hash is" in lines[0]
    assert "and checkpoint 1 of 20" in lines[0]


def test_an_honest_record_grows_beyond_its_checkpoints(home, capsys):
    assert parser.main(["checkpoint"]) == 0
    ws = tampered.opened(home)
    tampered.queue.comment(ws, 2, actor_id=3, text="one more")
    ws.sessions.kw["bind"].dispose()
    assert parser.main(["checkpoint"]) == 0
    status, lines = verified(capsys)
    assert status == 0
    assert "4 verdicts, 13 audit events" in lines[-5]
    assert "2 checkpoints" in lines[-5]


def test_a_checkpoint_that_was_altered_is_named(home, capsys):
    assert parser.main(["checkpoint"]) == 0
    path = home / checkpoints.FILE_NAME
    content = json.loads(path.read_text())
    content["verdicts"]["n_rows"] = 3
    path.write_text(json.dumps(content) + "\n")
    status, lines = verified(capsys)
    assert (status, lines[0]) == (
        1,
        "PROBLEM checkpoint 1: its signature does not fit its content",
    )


def test_a_checkpoint_that_was_taken_out_is_missed(home, capsys):
    for _ in range(3):
        assert parser.main(["checkpoint"]) == 0
    path = home / checkpoints.FILE_NAME
    lines = path.read_text().splitlines(keepends=True)
    path.write_text(lines[0] + lines[2])
    assert verified(capsys)[1][0] == (
        "PROBLEM checkpoint 2: one before it is missing, inserted or altered"
    )


def test_a_line_that_is_no_checkpoint_is_named(home, capsys):
    (home / checkpoints.FILE_NAME).write_text("{}\n[]\nnonsense\n")
    status, lines = verified(capsys)
    assert status == 1
    assert [line.split(":")[0] for line in lines[:3]] == [
        f"PROBLEM checkpoint {number}" for number in (1, 2, 3)
    ]


def test_a_checkpoint_of_another_key_counts_only_where_its_fingerprint_is_given(
    home, capsys, monkeypatch
):
    assert parser.main(["checkpoint"]) == 0
    _, lines = verified(capsys)
    used = lines[-4].removeprefix("checkpoints signed with key ")
    monkeypatch.setenv(checkpoints.KEY_VARIABLE, pem())
    assert verified(capsys)[1][0] == (
        f"PROBLEM checkpoint 1: it was signed with another key, {used}"
    )
    assert verified(capsys, "--checkpoint-key", used)[0] == 0
    assert verified(capsys, "--checkpoint-key", "f" * 64)[0] == 1
    monkeypatch.delenv(checkpoints.KEY_VARIABLE)
    assert verified(capsys)[0] == 0


def test_checkpoints_can_be_kept_elsewhere(home, tmp_path, capsys, monkeypatch):
    elsewhere = tmp_path / "elsewhere.jsonl"
    monkeypatch.setenv(checkpoints.FILE_VARIABLE, str(elsewhere))
    assert parser.main(["checkpoint"]) == 0
    assert len(elsewhere.read_text().splitlines()) == 1
    assert not (home / checkpoints.FILE_NAME).exists()


def test_the_key_is_read_from_a_file_outside_the_data_folder_only(home, tmp_path, monkeypatch):
    ws = tampered.opened(home)
    for folder in (tmp_path, home):
        (folder / "key.pem").write_text(pem())
    monkeypatch.setenv(checkpoints.KEY_VARIABLE, str(tmp_path / "key.pem"))
    checkpoints.sign(ws, by=OPERATOR)
    (tmp_path / "link.pem").symlink_to(home / "key.pem")
    for inside in (home / "key.pem", tmp_path / "link.pem"):
        monkeypatch.setenv(checkpoints.KEY_VARIABLE, str(inside))
        with pytest.raises(SettingsError, match="a place outside"):
            checkpoints.sign(ws, by=OPERATOR)
    ws.sessions.kw["bind"].dispose()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("", "is not set"),
        ("/nowhere/key.pem", "cannot be read: No such file"),
        ("-----BEGIN PRIVATE KEY-----\nx", "holds no key"),
        (pem(X25519PrivateKey), "holds no Ed25519 key"),
    ],
)
def test_a_key_that_is_none_is_told(home, monkeypatch, value, words):
    ws = tampered.opened(home)
    monkeypatch.setenv(checkpoints.KEY_VARIABLE, value)
    with pytest.raises(SettingsError, match=words):
        checkpoints.sign(ws, by=OPERATOR)
    ws.sessions.kw["bind"].dispose()
