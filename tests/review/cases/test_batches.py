import itertools
import shutil
import threading
from collections import namedtuple
from collections.abc import Iterator

import pytest

from db.types import Role
from review.cases import batches, intake
from review.cases.batches import Arrived, Batch, NoRoomError
from review.cases.intake import FileOutcome
from review.errors import AccessError, SettingsError
from tests import builders

WAIT_SECONDS = 10
NUMBERS = itertools.count()


@pytest.fixture
def gate(monkeypatch) -> threading.Event:
    """What intake waits for at each file; it stands in for the real one."""
    opened = threading.Event()

    def receive(ws, files, *, by, origin, grey_range) -> Iterator[FileOutcome]:
        for name, path in files:
            assert path.exists()
            assert opened.wait(WAIT_SECONDS)
            yield FileOutcome(name, "stored", 1)

    monkeypatch.setattr(intake, "receive", receive)
    return opened


@pytest.fixture
def reader_id(workspace) -> int:
    with workspace.begin() as session:
        return builders.account(session).id


def sent(batch: Batch, *names: str, n_bytes: int = 4) -> list[Arrived]:
    files = [Arrived(name, batch.folder / str(next(NUMBERS)), n_bytes) for name in names]
    for file in files:
        file.path.write_bytes(b"data")
    return files


def names(batch: Batch) -> list[str]:
    return [outcome.name for outcome in batch.outcomes]


def test_files_are_stored_as_they_arrive_and_leave_the_spool(workspace, reader_id, gate):
    gate.set()
    batch = batches.begin(workspace, "b", 3, 0, by=reader_id)
    batch.add(0, sent(batch, "a", "b"))
    batch.add(1, sent(batch, "c"))
    batch.end()
    assert batch.wait(WAIT_SECONDS)
    assert names(batch) == ["a", "b", "c"]
    assert list(batches.spool_of(workspace).iterdir()) == []


def test_a_parcel_that_is_sent_again_is_stored_once(workspace, reader_id, gate):
    gate.set()
    batch = batches.begin(workspace, "b", 1, 0, by=reader_id)
    for _ in range(2):
        batch.add(0, sent(batch, "a"))
    batch.end()
    assert batch.wait(WAIT_SECONDS)
    assert names(batch) == ["a"]


def test_a_cancelled_batch_stores_no_more_and_leaves_nothing(workspace, reader_id, gate):
    batch = batches.begin(workspace, "b", 3, 0, by=reader_id)
    batch.add(0, sent(batch, "a", "b", "c"))
    batch.cancel()
    gate.set()
    assert batch.wait(WAIT_SECONDS)
    assert len(batch.outcomes) <= 1
    assert "cancelled" in batch.stopped
    batch.add(1, [])
    assert list(batches.spool_of(workspace).iterdir()) == []


def test_a_browser_that_fell_silent_is_not_waited_for(workspace, reader_id, gate, monkeypatch):
    monkeypatch.setattr(batches, "SILENT_SECONDS", 0.01)
    batch = batches.begin(workspace, "b", 2, 0, by=reader_id)
    assert batch.wait(WAIT_SECONDS)
    assert "sends no more" in batch.stopped


def test_a_reader_has_their_share_on_the_way_and_no_more(workspace, reader_id, gate, monkeypatch):
    monkeypatch.setenv(batches.GB_VARIABLE, "0.000001")
    batch = batches.begin(workspace, "b", 2, 0, by=reader_id)
    batch.add(0, sent(batch, "a", n_bytes=900))
    with pytest.raises(NoRoomError, match="lets a reader have"):
        batches.begin(workspace, "b", 2, 200, by=reader_id)
    with workspace.begin() as session:
        others = [builders.account(session, role).id for role in (Role.ENGINEER, Role.READER)]
    for other in others:
        batches.begin(workspace, "c", 1, 900, by=other).cancel()
    gate.set()
    batch.end()
    assert batch.wait(WAIT_SECONDS)
    batches.begin(workspace, "d", 2, 200, by=reader_id).cancel()


def test_a_disk_that_is_nearly_full_takes_nothing_in(workspace, reader_id, monkeypatch):
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(batches.LEFT_FREE))
    with pytest.raises(NoRoomError, match="nearly full"):
        batches.begin(workspace, "b", 1, 1, by=reader_id)


def test_nobody_finds_anothers_batch(workspace, reader_id, gate):
    batch = batches.begin(workspace, "b", 1, 0, by=reader_id)
    assert batches.find(workspace, "b", by=reader_id) is batch
    assert batches.at_work(workspace, by=reader_id) is batch
    assert batches.find(workspace, "b", by=reader_id + 1) is None
    assert batches.at_work(workspace, by=reader_id + 1) is None
    batch.cancel()


def test_who_may_not_bring_images_in_begins_nothing(workspace):
    with pytest.raises(AccessError):
        batches.begin(workspace, "b", 1, 0, by=999)
    assert not batches.spool_of(workspace).exists()


@pytest.mark.parametrize("value", ["much", "0", "-1", "nan"])
def test_a_share_that_is_no_size_is_refused(monkeypatch, value):
    monkeypatch.setenv(batches.GB_VARIABLE, value)
    with pytest.raises(SettingsError, match="gigabytes above 0"):
        batches.share()
