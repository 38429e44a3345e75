from pathlib import Path

import pytest

from review.cli import parser
from review.settings import DATABASE_VARIABLE
from review.workspace import Workspace
from tests.review.keeping import homes


@pytest.fixture
def home(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home that holds something; nobody has it open."""
    monkeypatch.delenv(DATABASE_VARIABLE, raising=False)
    homes.fill(workspace)
    homes.close(workspace)
    return workspace.settings.home


def run(home: Path, *command: str) -> int:
    return parser.main(["--home", str(home), *command])


def test_a_site_is_backed_up_and_made_again_and_both_say_the_heads(home, tmp_path, capsys):
    backups, new = tmp_path / "backups", tmp_path / "new"
    assert run(home, "backup", str(backups)) == 0
    made = capsys.readouterr().out
    assert "is whole and on disk:" in made
    assert "3 artifacts of" in made
    assert run(new, "restore", str(backups)) == 0
    restored = capsys.readouterr().out
    heads = [line for line in made.splitlines() if line.startswith("head of")]
    assert len(heads) == 3
    assert set(heads) <= set(restored.splitlines())
    assert "2 sessions and sign-in links were ended" in restored
    expected = [word for line in heads for word in ("--expect", line.rpartition(" ")[2])]
    assert run(new, "verify", *expected) == 0


def test_restoring_over_a_home_is_refused_in_one_line(home, tmp_path, capsys):
    run(home, "backup", str(tmp_path / "backups"))
    capsys.readouterr()
    assert run(home, "restore", str(tmp_path / "backups")) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert "is not empty" in said
    assert said.count("\n") == 1


def test_a_damaged_home_ends_a_backup_with_1_even_on_purpose(home, tmp_path, capsys):
    artifact = next(path for path in (home / "artifacts").rglob("*") if path.is_file())
    artifact.write_bytes(b"altered")
    backups = str(tmp_path / "backups")
    assert run(home, "backup", backups) == 1
    assert "--despite-damage" in capsys.readouterr().err
    assert run(home, "backup", backups, "--despite-damage") == 1
    assert "PROBLEM 1 artifacts were missing or damaged" in capsys.readouterr().out


def test_the_key_can_be_left_out_and_given_back(home, tmp_path, capsys):
    backups, new = str(tmp_path / "backups"), tmp_path / "new"
    assert run(home, "backup", backups, "--without-key") == 0
    assert run(new, "restore", backups) == 1
    assert "--identity-key" in capsys.readouterr().err
    assert run(new, "restore", backups, "--identity-key", str(home / "identity.key")) == 0


def test_a_record_goes_to_postgresql_by_one_command(home, postgresql_server, capsys):
    address = postgresql_server.create("moved").replace("second_look@", "second_look:hidden@")
    assert run(home, "copy-to", address) == 0
    said = capsys.readouterr().out
    assert "read back and compared" in said
    assert "SECOND_LOOK_DATABASE_URL=postgresql+psycopg://second_look:***@" in said
    assert "hidden" not in said
    ws = homes.opened(home, address)
    report = homes.report(ws)
    assert report.problems == ()
    assert f"head of the verdicts: 1:{report.head_sha256}" in said
    assert f"audit:{report.n_events}:{report.audit_head_sha256}" in said
    homes.close(ws)
