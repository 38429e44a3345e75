import errno
import os
import sqlite3
import urllib.error
import urllib.request
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from db.engine import wal_is_safe
from db.tables import Job
from db.types import now
from review.processes import health, serving
from review.processes.health import Health
from review.workspace import Workspace
from tests import builders
from tests.server import running


@pytest.fixture(autouse=True)
def looks_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "KEPT_SECONDS", 0.0)
    monkeypatch.setattr(health, "LOCK_SECONDS", 1.0)


def file_of(ws: Workspace) -> Path:
    return Path(ws.settings.database_url.removeprefix("sqlite:///"))


def test_a_site_that_can_be_read_and_written_is_well(each_workspace):
    assert Health(each_workspace).trouble() is None


def test_a_look_changes_nothing(each_workspace):
    looked = Health(each_workspace)
    with each_workspace.read() as session:
        before = session.execute(text("SELECT * FROM settings ORDER BY key")).all()
    looked.trouble()
    with each_workspace.read() as session:
        assert session.execute(text("SELECT * FROM settings ORDER BY key")).all() == before


def test_a_database_that_was_deleted_is_noticed_and_not_made_anew(workspace):
    looked = Health(workspace)
    file_of(workspace).unlink()
    assert "deleted or replaced" in (looked.trouble() or "")
    assert not file_of(workspace).exists()


def test_a_database_put_in_place_of_the_open_one_is_noticed(workspace):
    looked = Health(workspace)
    file = file_of(workspace)
    copy = file.with_name("copy.db")
    copy.write_bytes(file.read_bytes())
    copy.replace(file)
    assert "deleted or replaced" in (looked.trouble() or "")


def test_a_damaged_database_is_noticed(workspace):
    looked = Health(workspace)
    with file_of(workspace).open("r+b") as file:
        file.write(b"no database any more" * 50)
    assert "not a database" in (looked.trouble() or "")


def test_a_database_that_somebody_locks_for_long_is_noticed(workspace):
    looked = Health(workspace)
    with closing(sqlite3.connect(file_of(workspace), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert "locked" in (looked.trouble() or "")
    assert looked.trouble() is None


@pytest.mark.skipif(wal_is_safe(), reason="with WAL a reader holds up nobody")
def test_a_database_in_which_nobody_can_commit_for_a_reader_is_noticed(workspace):
    looked = Health(workspace)
    with closing(sqlite3.connect(file_of(workspace), isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM settings").fetchone()
        assert "locked" in (looked.trouble() or "")


def test_a_disk_on_which_nothing_can_be_written_is_noticed(workspace, monkeypatch):
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    looked = Health(workspace)
    monkeypatch.setattr(os, "fsync", full)
    assert "No space left" in (looked.trouble() or "")


def test_an_answer_holds_for_a_while_whoever_asks(workspace, monkeypatch):
    monkeypatch.setattr(health, "KEPT_SECONDS", 2.0)
    at = 0.0
    looked = Health(workspace, clock=lambda: at)
    assert looked.trouble() is None
    file_of(workspace).unlink()
    assert looked.trouble() is None
    at = 2.0
    assert looked.trouble()


def test_a_site_is_ready_with_its_workers_and_room_on_the_disk(workspace, monkeypatch):
    monkeypatch.setattr(health, "LOW_DISK_BYTES", 0)
    assert Health(workspace).readiness()["status"] == "ready"
    lacking = Health(workspace, n_workers=1)
    assert lacking.readiness()["status"] == "not ready"
    assert lacking.readiness()["workers"] == {"alive": 0, "wanted": 1}
    monkeypatch.setattr(serving, "n_alive", lambda: 1)
    assert lacking.readiness()["status"] == "ready"
    monkeypatch.setattr(health, "LOW_DISK_BYTES", 1 << 62)
    assert lacking.readiness()["status"] == "not ready"


def test_readiness_says_how_many_jobs_wait_and_for_how_long(each_workspace):
    with each_workspace.begin() as session:
        builders.job(session)
        builders.job(session)
        session.query(Job).first().created_at = now() - timedelta(minutes=5)
    queue = Health(each_workspace).readiness()["queue"]
    assert queue["waiting"] == 2
    assert queue["oldest_seconds"] >= 300


# --- a real server --------------------------------------------------------------------------


def status(url: str) -> int:
    try:
        with urllib.request.urlopen(url) as response:
            return response.status
    except urllib.error.HTTPError as exc:
        with exc:
            return exc.code


@pytest.mark.slow
def test_a_server_whose_database_was_deleted_says_so_and_still_answers(tmp_path):
    with running(tmp_path) as server:
        assert status(f"{server.url}/healthz") == 200
        assert status(f"{server.url}/readyz") == 200
        (tmp_path / "second-look.db").unlink()
        assert status(f"{server.url}/sign-in") == 200
        statuses = iter(lambda: status(f"{server.url}/healthz"), 503)
        for _ in statuses:  # until the former answer is too old to be given again
            pass
        assert status(f"{server.url}/readyz") == 503
