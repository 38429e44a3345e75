import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from db.tables import AuditEvent, Setting
from review.errors import SettingsError
from review.identity import FINGERPRINT_KEY, renewed
from review.settings import Settings
from review.workspace import Workspace
from tests import builders


@pytest.fixture
def home(tmp_path: Path, empty_database: Path) -> Path:
    """A folder with an empty database and no key yet."""
    shutil.copy(empty_database, tmp_path / "second-look.db")
    return tmp_path


def opened(home: Path) -> bytes:
    ws = Workspace.open(Settings.load(home))
    ws.sessions.kw["bind"].dispose()
    return ws.settings.identity_key


def test_a_fresh_installation_makes_its_key_and_records_its_fingerprint(home):
    key = opened(home)
    path = home / "identity.key"
    assert path.read_bytes() == key
    assert len(key) == 32
    assert path.stat().st_mode & 0o077 == 0
    ws = Workspace.open(Settings.load(home))
    with ws.read() as session:
        recorded = session.get_one(Setting, FINGERPRINT_KEY).value
        told = session.query(AuditEvent).filter_by(subject_id=FINGERPRINT_KEY).one()
    ws.sessions.kw["bind"].dispose()
    assert told.content["state"] == {"value": recorded}
    assert key.hex() not in str(recorded)


def test_a_missing_key_is_told_and_not_replaced(home):
    opened(home)
    (home / "identity.key").unlink()
    with pytest.raises(SettingsError, match="is missing, and this database was made with it"):
        opened(home)
    assert not (home / "identity.key").exists()


def test_another_key_is_told(home):
    opened(home)
    (home / "identity.key").write_bytes(bytes(32))
    with pytest.raises(SettingsError, match="not the key that this database was made with"):
        opened(home)


def test_the_first_start_after_the_upgrade_records_the_key_that_is_there(home):
    (home / "identity.key").write_bytes(bytes(32))
    assert opened(home) == bytes(32)
    (home / "identity.key").write_bytes(bytes([1] * 32))
    with pytest.raises(SettingsError):
        opened(home)


def test_a_key_that_was_lost_before_the_upgrade_is_told_where_patients_were_keyed(home):
    ws = Workspace.open(Settings.load(home))
    with ws.begin() as session:
        builders.case(session, patient_key="a" * 64)
        session.delete(session.get_one(Setting, FINGERPRINT_KEY))
    ws.sessions.kw["bind"].dispose()
    (home / "identity.key").unlink()
    with pytest.raises(SettingsError, match="is missing"):
        opened(home)


def test_processes_that_start_at_once_share_one_key(home):
    with ThreadPoolExecutor(4) as pool:
        keys = set(pool.map(lambda _: opened(home), range(4)))
    assert keys == {(home / "identity.key").read_bytes()}


def test_a_key_that_is_lost_for_good_is_replaced_on_purpose_and_on_record(home):
    lost = opened(home)
    with pytest.raises(SettingsError, match="is there"):
        renewed(Settings.load(home))
    (home / "identity.key").unlink()
    renewed(Settings.load(home))
    assert opened(home) == (home / "identity.key").read_bytes() != lost
    ws = Workspace.open(Settings.load(home))
    with ws.read() as session:
        assert session.query(AuditEvent).filter_by(subject_id=FINGERPRINT_KEY).count() == 2
    ws.sessions.kw["bind"].dispose()
