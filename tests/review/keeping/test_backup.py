import itertools
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select, text

from db.artifacts import ArtifactStore
from db.contents import Contents
from db.errors import CopyError
from db.tables import AuditEvent, SignInToken, WebSession
from db.types import AuditKind
from review import in_use
from review.errors import AccessError, BackupError, InUseError
from review.keeping import backup as backups
from review.keeping.backup import Choice, backup
from review.keeping.manifest import Manifest, chosen
from review.keeping.restore import restore
from review.settings import Settings
from review.workspace import Workspace
from tests.builders import OPERATOR
from tests.review.keeping import homes

NUMBERS = itertools.count()
ROOT = Path(backups.__file__).parents[2]
N_BACKUPS = 8
PATIENCE_SECONDS = 60


@pytest.fixture
def home(workspace: Workspace) -> Workspace:
    homes.fill(workspace)
    return workspace


@pytest.fixture
def each_home(each_workspace: Workspace) -> Workspace:
    homes.fill(each_workspace)
    return each_workspace


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "backups"


def settings(home: Path, address: str | None = None) -> Settings:
    return Settings(home, address or f"sqlite:///{home / 'second-look.db'}", b"")


def files(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and in_use.LOCKS not in path.parts
    }


@pytest.fixture
def new_address(request: pytest.FixtureRequest, each_home: Workspace) -> Callable[[Path], str]:
    """Makes the address of a new database, of the kind of the home's."""

    def address(home: Path) -> str:
        if each_home.settings.database_url.startswith("sqlite"):
            return f"sqlite:///{home / 'second-look.db'}"
        server = request.getfixturevalue("postgresql_server")
        return server.create(f"restored_{next(NUMBERS)}")

    return address


# --- a whole backup ---


def test_a_home_made_of_a_backup_is_what_the_home_was(each_home, folder, tmp_path, new_address):
    (each_home.settings.home / "checkpoints.jsonl").write_text("")
    before = homes.contents(each_home)
    made = backup(each_home, folder, by=OPERATOR)
    homes.sign_again(each_home)
    new = tmp_path / "new"
    address = new_address(new)
    restored = restore(settings(new, address), folder)
    assert made.manifest.contents == before
    assert (restored.source, restored.manifest) == (made.path, made.manifest)
    ws = homes.opened(new, address)
    assert homes.contents(ws).heads["verdicts"] == before.heads["verdicts"]
    assert homes.report(ws).problems == ()
    assert ArtifactStore(new / "artifacts").read(image_sha256(ws)) == b"image"
    assert homes.key_of(new) == bytes(32)
    assert (new / "checkpoints.jsonl").exists()
    homes.close(ws)


def image_sha256(ws: Workspace) -> str:
    with ws.read() as session:
        return session.scalar(text("SELECT image_sha256 FROM cases WHERE id = 1"))


def test_a_backup_is_made_while_readers_sign_and_never_damaged(
    each_home, folder, tmp_path, new_address
):
    stop, n_signed = threading.Event(), itertools.count()

    def sign() -> None:
        while not stop.is_set():
            homes.add_case(each_home, b"image %d" % next(n_signed))

    readers = [threading.Thread(target=sign) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        made = [backup(each_home, folder, by=OPERATOR) for _ in range(N_BACKUPS)]
    finally:
        stop.set()
        for reader in readers:
            reader.join()
    counts = [each.manifest.heads["verdicts"]["n_rows"] for each in made]
    assert counts == sorted(counts)
    assert counts[-1] > counts[0], "nobody signed meanwhile"
    damaged = []
    for number, each in enumerate(made):
        new = tmp_path / f"new-{number}"
        address = new_address(new)
        restore(settings(new, address), each.path)  # verifies chains, rows, artifacts' content
        ws = homes.opened(new, address)
        damaged += homes.report(ws).problems
        homes.close(ws)
    assert damaged == []
    assert homes.report(each_home).problems == ()


def test_the_next_backup_copies_only_what_is_new(home, folder):
    backup(home, folder, by=OPERATOR)
    before = {path: path.stat().st_ino for path in (folder / "artifacts").rglob("??*")}
    new = homes.add_case(home, b"another")
    made = backup(home, folder, by=OPERATOR)
    after = {path: path.stat().st_ino for path in (folder / "artifacts").rglob("??*")}
    assert after.items() >= before.items()
    assert [path for path in after if path not in before and path.is_file()] == [
        ArtifactStore(folder / "artifacts").path(new)
    ]
    assert chosen(folder) == made.path


def test_a_damaged_artifact_of_an_earlier_backup_is_found_and_healed_where_asked(home, folder):
    backup(home, folder, by=OPERATOR)
    kept = ArtifactStore(folder / "artifacts")
    sha256 = image_sha256(home)
    kept.path(sha256).write_bytes(b"imagE")
    backup(home, folder, by=OPERATOR, chosen=Choice(rereads=True))
    assert kept.read(sha256) == b"image"


def test_coreutils_check_a_backup_too(each_home, folder):
    made = backup(each_home, folder, by=OPERATOR)
    checked = subprocess.run(
        ["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=made.path, check=False
    )
    assert checked.returncode == 0
    assert (made.path / "SHA256SUMS").read_text().count("\n") == 2 + made.manifest.n_artifacts


def test_what_is_in_a_backup_only_its_owner_reads(home, folder):
    made = backup(home, folder, by=OPERATOR)
    modes = {path: path.stat().st_mode & 0o077 for path in folder.rglob("*")}
    open_to_others = [
        path.name for path, mode in modes.items() if mode and path.parent == made.path
    ]
    assert open_to_others == []
    assert folder.stat().st_mode & 0o077 == 0


def test_no_secret_of_the_environment_is_in_a_backup(home, folder, monkeypatch):
    monkeypatch.setenv("SECOND_LOOK_DATABASE_URL", "postgresql://ada:hidden@host/name")
    monkeypatch.setenv("SECOND_LOOK_CHECKPOINT_KEY", "very hidden")
    made = backup(home, folder, by=OPERATOR)
    assert all(b"hidden" not in data for data in files(made.path).values())
    assert made.manifest.settings["SECOND_LOOK_DATABASE_URL"] == "postgresql://ada:***@host/name"


# --- not whole ---


KILLED = """
import os, signal, sys
from pathlib import Path
from review.keeping.backup import backup
from review.policy import OperatingSystemUser
from review.settings import Settings
from review.workspace import Workspace

def die(n_done, n_total):
    if n_done == 2:
        os.kill(os.getpid(), signal.SIGKILL)

ws = Workspace.open(Settings.load(Path(sys.argv[1])))
backup(ws, Path(sys.argv[2]), by=OperatingSystemUser.current(), progress=die)
"""


def test_a_backup_that_is_killed_is_never_taken_for_one_and_the_next_goes_on(home, folder):
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(home.settings.home), str(folder)], cwd=ROOT, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    assert list(folder.glob(".partial-*"))
    assert any(path.is_file() for path in (folder / "artifacts").rglob("*"))
    with pytest.raises(BackupError, match="no whole backup"):
        chosen(folder)
    made = backup(home, folder, by=OPERATOR)
    assert list(folder.glob(".partial-*")) == []
    assert chosen(folder) == made.path


def test_a_home_with_a_damaged_artifact_is_backed_up_only_on_purpose(home, folder, tmp_path):
    home.artifacts.path(image_sha256(home)).write_bytes(b"altered")
    with pytest.raises(BackupError, match="1 of 3 artifacts are missing or damaged"):
        backup(home, folder, by=OPERATOR)
    with pytest.raises(BackupError, match="no whole backup"):
        chosen(folder)
    made = backup(home, folder, by=OPERATOR, chosen=Choice(despite_damage=True))
    assert made.manifest.missing == [image_sha256(home)]
    restored = restore(settings(tmp_path / "new"), folder)
    assert len(restored.manifest.problems) == 1


def test_a_record_that_was_altered_is_backed_up_only_on_purpose(home, folder, tmp_path):
    with home.begin() as session:
        session.execute(text("UPDATE accounts SET role = 'administrator'"))
    with pytest.raises(BackupError, match=r"not sound .account 1: its role"):
        backup(home, folder, by=OPERATOR)
    backup(home, folder, by=OPERATOR, chosen=Choice(despite_damage=True))
    assert "account 1" in restore(settings(tmp_path / "new"), folder).manifest.problems[0]


def test_two_backups_into_one_folder_do_not_mix(home, folder):
    with backups._writing(folder), pytest.raises(BackupError, match="another backup"):
        backup(home, folder, by=OPERATOR)


def test_a_folder_that_cannot_be_written_is_said(home, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BackupError, match="cannot back up to"):
        backup(home, tmp_path / "file", by=OPERATOR)


def test_a_reader_may_not_back_up(home, folder):
    with pytest.raises(AccessError, match="may not back the site up"):
        backup(home, folder, by=1)
    assert not folder.exists()


def test_a_database_that_is_damaged_is_not_copied(home, folder):
    path = home.settings.home / "second-look.db"
    with path.open("r+b") as file:
        n_bytes = path.stat().st_size
        file.seek(n_bytes // 2)
        file.write(os.urandom(n_bytes // 2))
    with pytest.raises(CopyError, match=r"damaged|malformed"):
        backup(home, folder, by=OPERATOR)


# --- restoring ---


def test_a_home_that_holds_anything_is_left_alone(home, folder, tmp_path):
    backup(home, folder, by=OPERATOR)
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "letter.txt").write_text("mine")
    with pytest.raises(BackupError, match=r"is not empty .it has letter"):
        restore(settings(taken), folder)
    assert files(taken) == {"letter.txt": b"mine"}
    before = files(home.settings.home)
    with pytest.raises(BackupError, match="is not empty"):
        restore(home.settings, folder)
    assert files(home.settings.home) == before


def test_a_postgresql_database_with_tables_is_left_alone(postgresql_server, tmp_path, folder):
    source = homes.opened(tmp_path / "one", postgresql_server.create(f"source_{next(NUMBERS)}"))
    homes.fill(source)
    backup(source, folder, by=OPERATOR)
    taken = postgresql_server.create(f"taken_{next(NUMBERS)}")
    postgresql_server.run("CREATE TABLE mine (id int)", database=taken.rpartition("/")[2])
    with pytest.raises(BackupError, match="has tables already"):
        restore(settings(tmp_path / "new", taken), folder)
    homes.close(source)


def test_a_backup_of_one_kind_of_database_is_not_restored_to_another(home, folder, tmp_path):
    backup(home, folder, by=OPERATOR)
    with pytest.raises(BackupError, match=r"holds a sqlite database and .* a postgresql one"):
        restore(settings(tmp_path / "new", "postgresql://nobody@127.0.0.1:1/none"), folder)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", ["second-look.db", "identity.key", "SHA256SUMS"])
def test_a_backup_whose_file_was_altered_or_is_missing_is_refused(home, folder, tmp_path, name):
    path = backup(home, folder, by=OPERATOR).path / name
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(BackupError, match=f"{name} has another content"):
        restore(settings(tmp_path / "new"), folder)
    path.unlink()
    with pytest.raises(BackupError, match=f"{name} is missing"):
        restore(settings(tmp_path / "new"), folder)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("said", ["{", '{"format": 1}', '{"format": 2}'])
def test_a_manifest_that_cannot_be_read_is_refused(home, folder, tmp_path, said):
    made = backup(home, folder, by=OPERATOR)
    (made.path / "manifest.json").write_text(said)
    with pytest.raises(BackupError, match=r"altered|another version"):
        restore(settings(tmp_path / "new"), made.path)


def test_a_home_whose_restoring_failed_stays_shut_until_it_is_done(home, folder, tmp_path):
    backup(home, folder, by=OPERATOR)
    kept, new = ArtifactStore(folder / "artifacts"), tmp_path / "new"
    path = kept.path(image_sha256(home))
    path.write_bytes(b"imagE")
    with pytest.raises(BackupError, match="1 artifacts are missing or damaged in the backup"):
        restore(settings(new), folder)
    with pytest.raises(InUseError, match="only half restored"):
        homes.opened(new)
    path.write_bytes(b"image")
    restore(settings(new), folder)
    ws = homes.opened(new)
    assert homes.report(ws).problems == ()
    homes.close(ws)


def test_a_home_half_restored_from_one_backup_is_not_filled_from_another(home, folder, tmp_path):
    first = backup(home, folder, by=OPERATOR).path
    new = tmp_path / "new"
    new.mkdir()
    (new / in_use.UNFINISHED).write_text(first.name)
    homes.sign_again(home)
    backup(home, folder, by=OPERATOR)
    with pytest.raises(BackupError, match="half restored from another backup"):
        restore(settings(new), folder)


def test_a_postgresql_restore_goes_on_where_it_was_broken_off(
    postgresql_server, tmp_path, folder, monkeypatch
):
    source = homes.opened(tmp_path / "one", postgresql_server.create(f"source_{next(NUMBERS)}"))
    homes.fill(source)
    backup(source, folder, by=OPERATOR)
    address, new = postgresql_server.create(f"new_{next(NUMBERS)}"), tmp_path / "new"
    kept = ArtifactStore(folder / "artifacts").path(image_sha256(source))
    aside = shutil.move(kept, tmp_path / "aside")
    with pytest.raises(BackupError, match="1 artifacts are missing"):
        restore(settings(new, address), folder)
    shutil.move(aside, kept)
    restore(settings(new, address), folder)
    homes.close(source)


def test_the_key_may_be_kept_apart(home, folder, tmp_path):
    made = backup(home, folder, by=OPERATOR, chosen=Choice(key=False))
    assert not (made.path / "identity.key").exists()
    with pytest.raises(BackupError, match="--identity-key"):
        restore(settings(tmp_path / "new"), folder)
    restore(settings(tmp_path / "new"), folder, key=home.settings.home / "identity.key")
    assert homes.key_of(tmp_path / "new") == bytes(32)


def test_sessions_and_links_of_then_do_not_come_to_life_again(home, folder, tmp_path):
    backup(home, folder, by=OPERATOR)
    assert restore(settings(tmp_path / "new"), folder).n_ended == 2
    ws = homes.opened(tmp_path / "new")
    with ws.read() as session:
        assert session.scalars(select(WebSession.revoked_at)).one() is not None
        assert session.scalars(select(SignInToken.used_at)).one() is not None
        last = session.scalars(select(AuditEvent).order_by(AuditEvent.id.desc())).first()
    assert last.kind is AuditKind.RESTORED
    assert last.content["state"]["verdicts"]["n_rows"] == 1
    homes.close(ws)


def test_a_copied_file_is_one_whole_database(home, folder):
    made = backup(home, folder, by=OPERATOR)
    copy = sqlite3.connect(made.path / "second-look.db")
    assert copy.execute("PRAGMA journal_mode").fetchone() in {("delete",), ("wal",)}
    assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    copy.close()


def test_a_manifest_reads_back_what_it_wrote(home, folder):
    made = backup(home, folder, by=OPERATOR)
    assert Manifest.read(made.path) == made.manifest
    assert isinstance(made.manifest.contents, Contents)
