"""The one handle that every use case takes: database sessions, artifacts and settings."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy.orm import Session, sessionmaker

from db.artifacts import ArtifactStore
from db.copies import undisturbed
from db.engine import may_write, open_database, read_only
from db.errors import RecordError
from db.turns import Turns
from review import in_use
from review.errors import ReviewError
from review.identity import settled
from review.policy import RefusedError
from review.settings import Settings
from review.trail import Trail

TURN_SECONDS = 30.0


@dataclass(frozen=True)
class Workspace:
    """An open installation.

    Attributes:
        settings: The settings it was opened with.
        artifacts: The content-addressed file store.
        sessions: Factory of database sessions.
        share: What keeps others from changing the home as a whole meanwhile.
        turns: The queue of this process's writers, where the database has none of its own.
        trail: Records accesses.
    """

    settings: Settings
    artifacts: ArtifactStore
    sessions: sessionmaker[Session]
    share: in_use.Share | None = field(default=None, compare=False, repr=False)
    turns: Turns | None = field(default=None, compare=False, repr=False)
    trail: Trail = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "trail", Trail(self.begin))

    @classmethod
    def open(cls, settings: Settings) -> "Workspace":
        """Open the installation, creating its database where there is none.

        Raises:
            SettingsError: If the site's key is not the one that its database was made with.
            SchemaError: If the database is of another version; an older one has to be upgraded.
            InUseError: If the home is being upgraded, restored or copied.
        """
        share = in_use.share(settings.home)
        sessions = None
        try:
            sessions = open_database(settings.database_url)
            settings = settled(settings, sessions)
        except (ReviewError, RecordError):
            if sessions is not None:
                sessions.kw["bind"].dispose()
            if share is not None:
                share.end()
            raise
        turns = Turns(TURN_SECONDS) if sessions.kw["bind"].dialect.name == "sqlite" else None
        return cls(settings, ArtifactStore(settings.artifacts_path), sessions, share, turns)

    @property
    def only_reads(self) -> bool:
        """Whether nothing can be recorded here, for the home or its database may not be written."""
        return not (os.access(self.settings.home, os.W_OK) and may_write(self.sessions.kw["bind"]))

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """Yield a session in one transaction: committed at the end, rolled back on an error."""
        turn = self.turns.turn() if self.turns else nullcontext()
        with self._refusals(), turn, self.sessions.begin() as session:
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Yield a session on one consistent snapshot; it does not wait for writers."""
        with self._refusals(), self.sessions() as session:
            read_only(session)
            yield session

    @contextmanager
    def read_at_length(self, folder: Path) -> Iterator[Session]:
        """Yield a session on one consistent snapshot that no writer waits for, however long.

        Args:
            folder: Where a copy of the record may lie meanwhile.
        """
        with undisturbed(self.sessions, folder) as session:
            yield session

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        """Record a refusal once its transaction is over: written inside, it would end with it."""
        try:
            yield
        except RefusedError as exc:
            self.trail.refused(exc)
            raise
