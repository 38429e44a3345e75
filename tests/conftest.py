"""Fixtures that every room's tests share."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from review.settings import Settings
from review.workspace import Workspace

SHARED_DATA_VARIABLE = "SECOND_LOOK_SHARED_DATA"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real checkpoint, photographs and radiographs, where they lie beside the checkout."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    path = Path(os.environ.get(SHARED_DATA_VARIABLE) or beside)
    if not path.is_dir():
        pytest.skip(f"no real data at {path}")
    return path


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """An empty installation under a folder of its own."""
    home = tmp_path / "home"
    home.mkdir()
    settings = Settings(home, f"sqlite:///{home / 'second-look.db'}", identity_key=bytes(32))
    opened = Workspace.open(settings)
    yield opened
    opened.sessions.kw["bind"].dispose()
