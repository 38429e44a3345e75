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
