"""Fixtures that every room's tests share."""

import os

# Tests run side by side, one a core: threads of their own would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, settings
from sqlalchemy.orm import Session, sessionmaker

from db.engine import open_database
from review.settings import Settings
from review.workspace import Workspace
from tests import postgresql

SHARED_DATA_VARIABLE = "SECOND_LOOK_SHARED_DATA"
SEED_VARIABLE = "SECOND_LOOK_TEST_SEED"

# How long an example takes is the machine's affair: others may be at work on it.
settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Let a test draw the same tensors alone, in any order and on any machine."""
    torch.manual_seed(int(os.environ.get(SEED_VARIABLE, "0")))


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """Take away what a command that runs in the test's process has set of the log."""
    root, before = logging.getLogger(), logging.getLogger().handlers[:]
    level = root.level
    yield
    for handler in set(root.handlers) - set(before):
        root.removeHandler(handler)
    root.setLevel(level)
    logging.captureWarnings(False)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real checkpoint, photographs and radiographs, where they lie beside the checkout."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    path = Path(os.environ.get(SHARED_DATA_VARIABLE) or beside)
    if not path.is_dir():
        pytest.skip(f"no real data at {path}")
    return path


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file: to copy it is faster than to migrate for each test."""
    path = tmp_path_factory.mktemp("empty") / "record.db"
    open_database(f"sqlite:///{path}").kw["bind"].dispose()
    return path


@pytest.fixture
def workspace(tmp_path: Path, empty_database: Path) -> Iterator[Workspace]:
    """An empty installation under a folder of its own."""
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(empty_database, home / "second-look.db")
    yield from _opened(home, f"sqlite:///{home / 'second-look.db'}")


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[postgresql.Server]:
    """A real PostgreSQL server; a test that needs it fails where it is not installed."""
    with postgresql.running() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def each_address(request: pytest.FixtureRequest, tmp_path: Path, empty_database: Path) -> str:
    """The address of an empty database, of each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{shutil.copy(empty_database, tmp_path / 'record.db')}"
    server: postgresql.Server = request.getfixturevalue("postgresql_server")
    return server.emptied()


@pytest.fixture
def each_sessions(each_address: str) -> Iterator[sessionmaker[Session]]:
    """Sessions on an empty database, of each kind in turn."""
    sessions = open_database(each_address)
    yield sessions
    sessions.kw["bind"].dispose()


@pytest.fixture
def each_workspace(each_address: str, tmp_path: Path) -> Iterator[Workspace]:
    """An empty installation, on each kind of database in turn."""
    yield from _opened(tmp_path, each_address)


def _opened(home: Path, address: str) -> Iterator[Workspace]:
    (home / "identity.key").write_bytes(bytes(32))
    workspace = Workspace.open(Settings(home, address, identity_key=bytes(32)))
    yield workspace
    workspace.sessions.kw["bind"].dispose()
