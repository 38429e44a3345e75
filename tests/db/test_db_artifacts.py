import hashlib
import os
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from db.artifacts import ArtifactStore
from db.errors import ArtifactError, StorageError
from db.tables import Artifact

DATA = b"pixels of a phantom"
SHA256 = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "artifacts")


@pytest.fixture
def sessions(each_sessions):
    return each_sessions


def put(store: ArtifactStore, sessions, data: bytes = DATA) -> str:
    with sessions.begin() as session:
        return store.put(session, data, media_type="image/png")


def files(store: ArtifactStore) -> list[Path]:
    return [path for path in store.root.rglob("*") if path.is_file()]


def test_what_was_put_is_read_back_by_its_hash(store, sessions):
    assert not store.exists(SHA256)
    assert put(store, sessions) == SHA256
    assert store.exists(SHA256)
    assert store.read(SHA256) == DATA
    with sessions() as session:
        row = session.get_one(Artifact, SHA256)
    assert (row.media_type, row.n_bytes) == ("image/png", len(DATA))


def test_the_same_bytes_are_kept_once(store, sessions):
    assert put(store, sessions) == put(store, sessions)
    assert len(files(store)) == 1


def test_files_are_spread_over_folders_that_only_their_owner_can_open(store, sessions):
    put(store, sessions)
    (path,) = files(store)
    assert path.relative_to(store.root).parts == (SHA256[:2], SHA256[2:])
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("damage", [b"pixels of a phantoM", b"pixels", b""])
def test_damaged_bytes_are_never_handed_out(store, sessions, damage):
    store.path(put(store, sessions)).write_bytes(damage)
    with pytest.raises(ArtifactError, match=f"{SHA256} is damaged"):
        store.read(SHA256)


def test_a_missing_file_is_named(store):
    with pytest.raises(ArtifactError, match=f"{SHA256} cannot be read: No such file"):
        store.read(SHA256)


@pytest.mark.parametrize("damage", [b"pixels of a phantoM", b""])
def test_a_damaged_file_is_whole_again_once_its_bytes_are_put_anew(store, sessions, damage):
    put(store, sessions)
    store.path(SHA256).write_bytes(damage)
    assert not store.is_whole(SHA256)
    assert put(store, sessions) == SHA256
    assert store.read(SHA256) == DATA


def test_what_a_killed_writer_left_is_swept_and_what_another_is_at_is_not(store, sessions):
    put(store, sessions)
    folder = store.path(SHA256).parent
    left, at_work = folder / ".partial-left", folder / ".partial-at-work"
    for path in (left, at_work):
        path.write_bytes(b"half")
    os.utime(left, (0, 0))
    assert store.sweep() == 1
    assert not left.exists()
    assert at_work.exists()
    assert store.read(SHA256) == DATA


def test_a_full_disk_leaves_neither_file_nor_row(store, sessions, monkeypatch):
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    put(store, sessions, b"the folders are there already")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match=r"cannot store 19 bytes.*No space left.*make room"):
        put(store, sessions)
    assert not store.exists(SHA256)
    assert len(files(store)) == 1
    with sessions() as session:
        assert session.get(Artifact, SHA256) is None


def test_a_folder_that_cannot_be_written_is_named(store, sessions):
    store.root.write_text("a file where the folder should be")
    with pytest.raises(StorageError, match=str(store.root)):
        put(store, sessions)


def test_the_row_goes_with_its_transaction_and_the_file_is_used_again(store, sessions):
    with suppress(RuntimeError), sessions.begin() as session:
        store.put(session, DATA, media_type="image/png")
        raise RuntimeError
    with sessions() as session:
        assert session.get(Artifact, SHA256) is None
    put(store, sessions)
    assert store.read(SHA256) == DATA


def test_everything_is_synced_before_the_row_is_written(store, sessions, monkeypatch):
    """The file, then the folders in which its name stands."""
    synced: list[Path] = []
    sync = os.fsync

    def watch(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", watch)
    with sessions.begin() as session:
        store.put(session, DATA, media_type="image/png")
        folder = store.path(SHA256).parent
        assert synced[0] == store.root
        assert synced[1].parent == folder
        assert synced[2] == folder


def test_many_who_put_the_same_bytes_at_once_share_one_file(store, sessions):
    start = threading.Barrier(6)
    errors: list[Exception] = []

    def work() -> None:
        try:
            start.wait()
            for number in range(5):
                put(store, sessions, b"shared %d" % number)
        except Exception as exc:  # asserted on below
            errors.append(exc)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(files(store)) == 5
