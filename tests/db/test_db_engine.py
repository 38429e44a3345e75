import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from db.engine import may_write, open_database, read_only, wal_is_safe
from db.errors import SchemaError, StorageError
from db.tables import Account, Setting
from tests import builders

OPEN = """
import sys
from sqlalchemy import text
from db import engine
engine.wal_is_safe = lambda: sys.argv[2] == "wal"
print("ready", flush=True)
sys.stdin.read()
sessions = engine.open_database(sys.argv[1])
with sessions() as session:
    print(len(session.execute(text("SELECT * FROM verdicts")).all()))
"""


@pytest.fixture
def address(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'record.db'}"


@pytest.fixture
def sessions(address):
    opened = open_database(address)
    yield opened
    opened.kw["bind"].dispose()


@pytest.mark.parametrize(
    ("version", "safe"),
    [
        ((3, 40, 1), False),
        ((3, 44, 5), False),
        ((3, 44, 6), True),
        ((3, 45, 9), False),
        ((3, 50, 6), False),
        ((3, 50, 7), True),
        ((3, 51, 2), False),
        ((3, 51, 3), True),
        ((3, 52, 0), True),
    ],
)
def test_wal_is_used_only_where_its_reset_is_fixed(version, safe):
    assert wal_is_safe(version) is safe


@pytest.mark.parametrize(
    ("safe", "journal", "synchronous"), [(False, "delete", 3), (True, "wal", 2)]
)
def test_every_commit_is_synced(address, monkeypatch, safe, journal, synchronous):
    monkeypatch.setattr("db.engine.wal_is_safe", lambda: safe)
    sessions = open_database(address)
    with sessions() as session:
        pragmas = [
            session.scalar(text(f"PRAGMA {name}"))
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    sessions.kw["bind"].dispose()
    assert pragmas == [journal, synchronous, 1]


def test_foreign_keys_hold(sessions):
    with pytest.raises(IntegrityError, match="FOREIGN KEY"), sessions.begin() as session:
        builders.case(session, image_sha256="0" * 64)


def test_a_failed_transaction_leaves_nothing(sessions):
    with suppress(RuntimeError), sessions.begin() as session:
        builders.account(session, name="ada")
        raise RuntimeError
    with sessions() as session:
        assert session.query(Account).count() == 0


def test_a_reader_neither_waits_for_a_writer_nor_sees_its_unfinished_work(sessions):
    with sessions.begin() as writer, sessions() as reader:
        builders.account(writer)
        read_only(reader)
        assert reader.query(Account).count() == 0


def test_a_writer_waits_for_the_one_before_it(sessions):
    """Both read, then write what they read plus one: neither fails, no increment is lost."""
    with sessions.begin() as session:
        session.add(Setting(key="n", value={"n": 0}))

    def increment() -> None:
        for _ in range(5):
            with sessions.begin() as session:
                setting = session.get_one(Setting, "n")
                setting.value = {"n": setting.value["n"] + 1}

    threads = [threading.Thread(target=increment) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with sessions() as session:
        assert session.get_one(Setting, "n").value == {"n": 15}


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_processes_that_open_a_new_database_at_once_do_not_collide(address, journal):
    assert open_in_processes(address, journal, n=3) == ["0\n"] * 3


def test_nor_do_they_on_postgresql(postgresql_server):
    assert open_in_processes(postgresql_server.create("at_once"), "none", n=3) == ["0\n"] * 3


def open_in_processes(address: str, journal: str, *, n: int) -> list[str]:
    """Open a database in processes that start together; return what each printed."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN, address, journal],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(n)
    ]
    ready = [process.stdout.readline() for process in processes]
    for process in processes:
        process.stdin.close()
    printed = [process.stdout.read() for process in processes]
    for process in processes:
        process.stdout.close()
    assert (ready, [process.wait() for process in processes]) == (["ready\n"] * n, [0] * n)
    return printed


def test_a_database_of_a_newer_version_is_refused_and_left_alone(address, sessions):
    with sessions.begin() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaError, match=r"9999.*newer"):
        open_database(address)
    with sessions() as session:
        assert session.scalar(text("SELECT version_num FROM alembic_version")) == "9999"


@pytest.mark.parametrize("address", ["mysql://host/name", "not an address"])
def test_another_kind_of_database_is_refused_with_what_is_allowed(address):
    with pytest.raises(SchemaError, match="allowed are sqlite"):
        open_database(address)


def test_a_database_that_stays_busy_says_that_nothing_was_recorded(address, sessions, monkeypatch):
    monkeypatch.setattr("db.engine.BUSY_TIMEOUT_MS", 10)
    impatient = open_database(address)
    with sessions.begin() as writer, impatient() as second:
        builders.account(writer, name="ada")
        with pytest.raises(StorageError, match="busy: nothing was recorded"):
            builders.account(second, name="ben")
    impatient.kw["bind"].dispose()
    with sessions() as session:
        assert [account.name for account in session.query(Account)] == ["ada"]


def test_a_full_disk_keeps_what_was_there(sessions):
    with sessions.begin() as session:
        builders.account(session, name="ada")
    with sessions.begin() as session:
        session.execute(text("PRAGMA max_page_count = 1"))
        with pytest.raises(StorageError, match="the disk is full"):
            session.execute(text("CREATE TABLE large AS SELECT zeroblob(100000)"))
    with sessions() as session:
        assert session.query(Account).count() == 1


def test_a_file_that_cannot_be_opened_is_said_in_words(tmp_path):
    with pytest.raises(StorageError, match="cannot be opened"):
        open_database(f"sqlite:///{tmp_path / 'no folder' / 'record.db'}")


@pytest.mark.parametrize("safe", [False, True])
def test_a_file_that_may_not_be_written_is_read(tmp_path, monkeypatch, safe):
    monkeypatch.setattr("db.engine.wal_is_safe", lambda: safe)
    address = f"sqlite:///{tmp_path / 'a %41?#.db'}"
    first = open_database(address)
    with first.begin() as session:
        builders.account(session, name="ada")
    first.kw["bind"].dispose()
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    monkeypatch.setattr("db.engine.os.access", lambda *_: False)
    sessions = open_database(address)
    with sessions() as session:
        read_only(session)
        assert [account.name for account in session.query(Account)] == ["ada"]
    with pytest.raises(StorageError, match="may not be written"), sessions.begin() as session:
        builders.account(session, name="ben")
    assert not may_write(sessions.kw["bind"])
    sessions.kw["bind"].dispose()
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_password_in_the_address_is_not_in_the_error():
    with pytest.raises(SchemaError) as caught:
        open_database("mysql://ada:secret@host/name")
    assert "secret" not in str(caught.value)


def test_an_up_to_date_database_opens_without_loading_alembic(address, sessions):
    code = f"import sys; from db.engine import open_database; open_database({address!r}); "
    code += "sys.exit('alembic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
