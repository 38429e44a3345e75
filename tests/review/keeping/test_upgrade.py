import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from db.engine import engine_at, open_database
from db.errors import OlderSchemaError
from db.migrate import NEWEST
from review import in_use
from review.cli import parser
from review.errors import BackupError, InUseError
from review.keeping import upgrade as upgrades
from review.keeping.manifest import whole
from review.keeping.restore import restore
from review.keeping.upgrade import upgrade
from review.settings import DATABASE_VARIABLE, Settings
from tests.db import keep_schema
from tests.review.keeping import homes

OLDER = sorted(keep_schema.DATA.glob("schema_*.sql"))[:-1]
ROOT = Path(parser.__file__).parents[2]
READING = (["user", "list"], ["verify"], ["export", "--out", "x.zip"], ["checkpoint"])


@pytest.fixture(params=OLDER, ids=lambda path: path.stem)
def settings(request, tmp_path: Path, monkeypatch) -> Settings:
    """A home as an older version left it."""
    monkeypatch.delenv(DATABASE_VARIABLE, raising=False)
    home = tmp_path / "home"
    home.mkdir()
    connection = sqlite3.connect(home / "second-look.db")
    connection.executescript(request.param.read_text())
    connection.close()
    (home / "identity.key").write_bytes(bytes(32))
    homes.write_artifacts(home)
    return Settings.load(home)


def revision(home: Path) -> str:
    connection = sqlite3.connect(home / "second-look.db")
    found = connection.execute("SELECT version_num FROM alembic_version").fetchone()[0]
    connection.close()
    return found


def test_an_upgrade_says_what_it_does_and_makes_a_backup_first(settings, tmp_path):
    old, told = revision(settings.home), []
    assert upgrade(settings, say=told.append)
    (made,) = whole(settings.home / upgrades.FOLDER)
    assert told == [
        f"The database has schema {old}; this version needs {NEWEST}.",
        f"It was copied to {made} before anything is changed.",
        f"Upgraded to schema {NEWEST}: no row was lost.",
    ]
    assert revision(settings.home) == NEWEST
    assert not upgrade(settings, say=told.append)
    assert len(told) == 3
    # And back, if need be.
    new = tmp_path / "as-it-was"
    made_of = restore(Settings.load(new), made, key=settings.home / "identity.key")
    assert made_of.is_old
    assert revision(new) == old


@pytest.mark.parametrize("command", READING, ids=lambda words: words[0])
def test_no_other_command_upgrades_an_older_home(settings, capsys, command):
    before = (settings.home / "second-look.db").read_bytes()
    assert parser.main(["--home", str(settings.home), *command]) == 1
    assert "run `python -m review upgrade`" in capsys.readouterr().err
    assert (settings.home / "second-look.db").read_bytes() == before


def test_the_command_upgrades_and_then_has_nothing_to_do(settings, capsys):
    assert parser.main(["--home", str(settings.home), "upgrade"]) == 0
    assert f"Upgraded to schema {NEWEST}" in capsys.readouterr().out
    assert parser.main(["--home", str(settings.home), "upgrade"]) == 0
    assert "nothing was done" in capsys.readouterr().out


def test_serve_upgrades_without_a_question_and_says_so(settings, capsys, monkeypatch):
    served = []
    monkeypatch.setattr(
        "review.processes.serving.serve", lambda found, *_, **__: served.append(found.home)
    )
    assert parser.main(["--home", str(settings.home), "serve"]) == 0
    assert served == [settings.home]
    assert f"Upgraded to schema {NEWEST}" in capsys.readouterr().out


def test_nothing_is_upgraded_if_it_cannot_be_copied_first(settings):
    (settings.home / upgrades.FOLDER).write_text("a file where the folder should be")
    old = revision(settings.home)
    with pytest.raises(BackupError, match="no backup was made"):
        upgrade(settings, say=print)
    assert revision(settings.home) == old


# --- under a running server ---


HOLD = """
import sqlite3, sys, fcntl
kept = {holding}
print("ready", flush=True)
sys.stdin.read()
"""


def refused_while(settings: Settings, holding: str) -> str:
    """Try to upgrade while another process holds something; return what is said."""
    old = revision(settings.home)
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD.format(holding=holding)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    with pytest.raises(InUseError) as caught:
        upgrade(settings, say=print)
    assert revision(settings.home) == old
    process.communicate()
    assert upgrade(settings, say=print)
    return str(caught.value)


def test_not_under_a_process_that_has_the_home_open(settings):
    module, home = "__import__('review.in_use').in_use", str(settings.home)
    holding = f"{module}.share({module}.Path({home!r}))"
    assert "a server, a worker or a command has" in refused_while(settings, holding)


def test_not_under_an_older_version_that_has_the_database_open(settings):
    holding = f"open({str(settings.home / 'second-look.db')!r})"
    assert "process " in refused_while(settings, holding)


def test_not_under_an_older_worker(settings):
    lock = settings.home / "locks" / "host-cpu.lock"
    lock.parent.mkdir()
    lock.touch()
    holding = f"(f := open({str(lock)!r}), fcntl.flock(f, fcntl.LOCK_EX))"
    assert "a worker of an older version" in refused_while(settings, holding)


def test_nobody_opens_a_home_that_is_being_upgraded(workspace):
    homes.close(workspace)
    home = workspace.settings.home
    with in_use.alone(home), pytest.raises(InUseError, match="try again when that is done"):
        homes.opened(home)
    homes.close(homes.opened(workspace.settings.home))


def test_not_while_a_server_elsewhere_uses_the_same_database(postgresql_server):
    address = postgresql_server.create("elsewhere")
    sessions, engine = open_database(address), engine_at(address)
    with sessions() as elsewhere:
        elsewhere.connection()
        with pytest.raises(InUseError, match="1 connections of Second Look's"):
            upgrades.insist_alone(engine)
    sessions.kw["bind"].dispose()
    upgrades.insist_alone(engine)
    engine.dispose()


def test_an_older_postgresql_database_is_upgraded_after_a_dump(postgresql_server, tmp_path):
    from tests.db.test_db_migrate import first_schema

    address = postgresql_server.create("older")
    first_schema(address).kw["bind"].dispose()
    (tmp_path / "identity.key").write_bytes(bytes(32))
    settings = Settings(tmp_path, address, bytes(32))
    with pytest.raises(OlderSchemaError):
        open_database(address)
    told = []
    assert upgrade(settings, say=told.append)
    assert "schema 0001" in told[0]
    assert (whole(tmp_path / upgrades.FOLDER)[0] / "database.dump").stat().st_size > 1000
    homes.close(homes.opened(tmp_path, address))


def test_the_older_schema_is_left_alone_by_a_copy(settings, tmp_path):
    target = tmp_path / "other.db"
    assert parser.main(["--home", str(settings.home), "copy-to", f"sqlite:///{target}"]) == 1
    assert not target.exists()
