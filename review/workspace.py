"""The one handle that every use case takes: database sessions, artifacts and settings."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session, sessionmaker

from db.artifacts import ArtifactStore
from db.engine import copied, open_database, read_only
from db.turns import Turns
from review.errors import ReviewError
from review.identity import settled
from review.settings import Settings

TURN_SECONDS = 30.0


@dataclass(frozen=True)
class Workspace:
    """An open installation.

    Attributes:
        settings: The settings it was opened with.
        artifacts: The content-addressed file store.
        sessions: Factory of database sessions.
        turns: The queue of this process's writers, where the database has none of its own.
    """

    settings: Settings
    artifacts: ArtifactStore
    sessions: sessionmaker[Session]
    turns: Turns | None = None

    @classmethod
    def open(cls, settings: Settings) -> "Workspace":
        """Open the installation, creating or migrating its database when that is needed.

        Raises:
            SettingsError: If the site's key is not the one that its database was made with.
        """
        sessions = open_database(settings.database_url)
        try:
            settings = settled(settings, sessions)
        except ReviewError:
            sessions.kw["bind"].dispose()
            raise
        turns = Turns(TURN_SECONDS) if sessions.kw["bind"].dialect.name == "sqlite" else None
        return cls(settings, ArtifactStore(settings.artifacts_path), sessions, turns)

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """Yield a session in one transaction: committed at the end, rolled back on an error."""
        with self.turns.turn() if self.turns else nullcontext(), self.sessions.begin() as session:
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Yield a session on one consistent snapshot; it does not wait for writers."""
        with self.sessions() as session:
            read_only(session)
            yield session

    @contextmanager
    def read_at_length(self, folder: Path) -> Iterator[Session]:
        """Yield a session on one consistent snapshot that no writer waits for, however long.

        Args:
            folder: Where a copy of the record may lie meanwhile.
        """
        with copied(self.sessions, folder) as session:
            yield session
