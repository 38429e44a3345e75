from pathlib import Path

import pytest

from review.errors import SettingsError
from review.settings import KEEP_IDENTIFIERS_VARIABLE, Settings


def test_a_site_that_asks_to_keep_identifiers_is_told_that_none_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEEP_IDENTIFIERS_VARIABLE, "1")
    with pytest.raises(SettingsError, match="no longer stored"):
        Settings.load(tmp_path)
    monkeypatch.setenv(KEEP_IDENTIFIERS_VARIABLE, "0")
    assert Settings.load(tmp_path).home == tmp_path


def test_the_home_folder_is_the_sites_alone(tmp_path: Path) -> None:
    home, linked = tmp_path / "home", tmp_path / "elsewhere"
    (home / "artifacts").mkdir(parents=True)
    for path in (home / "second-look.db", linked):
        path.touch()
        path.chmod(0o644)
    (home / "link").symlink_to(linked)
    home.chmod(0o755)
    Settings.load(home)
    assert [path.stat().st_mode & 0o777 for path in (home, home / "artifacts")] == [0o700] * 2
    assert (home / "second-look.db").stat().st_mode & 0o777 == 0o600
    assert linked.stat().st_mode & 0o777 == 0o644


def test_what_is_made_later_is_the_sites_alone_too(tmp_path: Path) -> None:
    Settings.load(tmp_path)
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "file").touch()
    assert (tmp_path / "new").stat().st_mode & 0o077 == 0
    assert (tmp_path / "new" / "file").stat().st_mode & 0o077 == 0


def test_a_home_that_another_account_owns_is_said_to_be_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    tmp_path.chmod(0o755)
    monkeypatch.setattr(Path, "chmod", refuse)
    assert Settings.load(tmp_path).home == tmp_path
    assert "can be reached by other accounts" in caplog.text
