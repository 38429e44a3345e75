import resource
from contextlib import contextmanager

import pytest
from sqlalchemy import select

from db import copies
from db.engine import open_database
from db.errors import CopyError, StorageError
from db.tables import Account
from tests import builders


@pytest.fixture
def sessions(tmp_path):
    opened = open_database(f"sqlite:///{tmp_path / 'record.db'}")
    with opened.begin() as session:
        builders.account(session)
    yield opened
    opened.kw["bind"].dispose()


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "beside"
    path.mkdir()
    return path


@contextmanager
def files_of_at_most(n_bytes):
    """Let this process write no longer file, as on a disk without room."""
    allowed = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, allowed[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, allowed)


def test_who_reads_at_length_keeps_nobody_from_committing(sessions, folder):
    with copies.undisturbed(sessions, folder) as reading:
        assert len(reading.scalars(select(Account)).all()) == 1
        with sessions.begin() as session:
            builders.account(session, name="later")
        assert "later" not in reading.scalars(select(Account.name)).all()


def test_what_was_read_at_length_is_gone_afterwards(sessions, folder):
    with copies.undisturbed(sessions, folder):
        assert [path.stat().st_mode & 0o777 for path in folder.iterdir()] == [0o600]
    assert list(folder.iterdir()) == []


def test_on_postgresql_nothing_is_copied(postgresql_server, folder):
    opened = open_database(postgresql_server.create("undisturbed"))
    names = select(Account.name)
    with copies.undisturbed(opened, folder) as reading:
        assert reading.scalars(names).all() == []
        with opened.begin() as session:
            builders.account(session, name="later")
        assert reading.scalars(names).all() == []
        assert list(folder.iterdir()) == []
    opened.kw["bind"].dispose()


def test_a_disk_without_room_is_trouble_that_passes(sessions, folder):
    with (
        files_of_at_most(1 << 15),
        pytest.raises(StorageError, match="cannot be copied now"),
        copies.undisturbed(sessions, folder),
    ):
        pytest.fail("a copy that is not whole was read")
    with copies.undisturbed(sessions, folder) as reading:
        assert reading.scalars(select(Account)).all()


def test_what_is_no_database_is_trouble_that_stays(sessions, folder):
    sessions.kw["bind"].dispose()
    (folder.parent / "record.db").write_bytes(bytes(1 << 16))
    with pytest.raises(CopyError, match="cannot be copied:"), copies.undisturbed(sessions, folder):
        pytest.fail("it was read")


def test_only_a_backup_reads_the_whole_copy_to_see_that_it_is_sound(sessions, folder, monkeypatch):
    looked_at = []
    monkeypatch.setattr(copies, "_insist_on_integrity", looked_at.append)
    with copies.undisturbed(sessions, folder):
        assert looked_at == []
    with copies.copied(sessions.kw["bind"], folder):
        assert looked_at == [folder / copies.SQLITE_FILE]
