"""Where a drill runs: how much is done, over which homes, and what is read there."""

import os
import random
import sqlite3
import statistics
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from sqlalchemy import select

from db.tables import Explanation, Prediction
from db.types import Opinion
from review.access import accounts, sessions
from review.settings import DATABASE_VARIABLE, HOME_VARIABLE, Settings
from review.verdicts import sign
from review.workspace import Workspace
from tests import builders, postgresql, readings
from tests.builders import OPERATOR

Row = dict[str, Any]
KINDS = ("SQLite", "PostgreSQL")


@dataclass(frozen=True)
class Scale:
    """How much is done; the numbers of docs/reliability.md are `FULL`'s."""

    n_writers: int = 16
    n_verdicts: int = 900  # of the writers together
    n_cases: int = 20
    n_browsers: int = 8
    n_browser_verdicts: int = 16  # of each browser
    kill_seconds: tuple[float, float] = (0.3, 3.0)  # from one kill of a writer to the next
    server_seconds: tuple[float, float] = (25.0, 45.0)  # and of the server
    n_sessions: int = 100
    pace_seconds: float = 45.0
    n_jobs: int = 48
    n_server_lives: int = 2  # in each the worker is killed twice
    lease_seconds: float | None = None  # the product's
    n_jumps: int = 8
    n_fillings: int = 3
    n_files: int = 10_000
    n_requests: int = 1_100
    n_backups: int = 4
    n_kills: int = 4  # of a restore, and of each upgrade
    n_upgrades: int = 7


FULL = Scale()
QUICK = Scale(
    n_verdicts=160,
    n_browsers=2,
    n_browser_verdicts=3,
    server_seconds=(8.0, 12.0),
    pace_seconds=6.0,
    n_jobs=12,
    n_server_lives=1,
    lease_seconds=5.0,
    n_jumps=3,
    n_fillings=1,
    n_files=300,
    n_requests=200,
    n_backups=2,
    n_kills=1,
    n_upgrades=2,
)


@dataclass(frozen=True)
class Shown:
    """A prediction as a reader's screen shows it."""

    case_id: int
    prediction_id: int
    token: str
    explanation_ids: tuple[int, ...]

    def verdict(self, reader_id: int, comment: str, supersedes_id: int | None) -> Row:
        """Return what a reader sends of it, by the names of the record's columns."""
        return {
            "request_id": uuid.uuid4().hex,
            "case_id": self.case_id,
            "prediction_id": self.prediction_id,
            "reader_id": reader_id,
            "opinion": Opinion.REJECT.value,
            "comment": comment,
            "supersedes_id": supersedes_id,
        }


@dataclass(frozen=True)
class Site:
    """A home and its database."""

    kind: str
    home: Path
    address: str

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a process that works on it."""
        named = {HOME_VARIABLE: str(self.home), DATABASE_VARIABLE: self.address}
        return dict(os.environ) | named

    def open(self) -> Workspace:
        """Open it from this process."""
        settings = Settings.load(self.home)
        return Workspace.open(Settings(settings.home, self.address, settings.identity_key))

    @contextmanager
    def opened(self) -> Iterator[Workspace]:
        """Open it for the block."""
        ws = self.open()
        try:
            yield ws
        finally:
            ws.sessions.kw["bind"].dispose()
            if ws.share is not None:
                ws.share.end()

    def can_write(self) -> bool:
        """Return whether nobody keeps others from writing; on PostgreSQL a row's lock would."""
        if self.kind != "SQLite":
            return True
        path = self.home / "second-look.db"
        with closing(sqlite3.connect(path, timeout=2.0, isolation_level=None)) as connection:
            try:
                connection.execute("BEGIN EXCLUSIVE")
            except sqlite3.OperationalError:
                return False
            connection.execute("ROLLBACK")
        return True

    @cached_property
    def shown(self) -> list[Shown]:
        """What there is to read."""
        with self.opened() as ws, ws.read() as session:
            found = []
            for prediction in session.scalars(select(Prediction).order_by(Prediction.id)):
                its = select(Explanation.id).where(Explanation.prediction_id == prediction.id)
                maps = tuple(session.scalars(its.order_by(Explanation.id)))
                token = sign.evidence_token(session, prediction.id, maps)
                found.append(Shown(prediction.case_id, prediction.id, token, maps))
            return found

    def fill(self, n_cases: int, n_readers: int) -> list[int]:
        """Put explained cases and readers into it; return the readers."""
        with self.opened() as ws, ws.begin() as session:
            weights = builders.artifact(session, ws.artifacts, b"weights")
            model = builders.model(session, weights_sha256=weights)
            for _ in range(n_cases):
                readings.explained_case(session, ws.artifacts, model, synthetic=True)
            return [builders.account(session).id for _ in range(n_readers)]

    def signed_in(self, readers: Sequence[int]) -> list[str]:
        """Return a session's token for each reader."""
        with self.opened() as ws:
            links = [accounts.issue_link(ws, reader, by=OPERATOR) for reader in readers]
            return [sessions.redeem_link(ws, link) for link in links]


@dataclass
class Room:
    """What a drill is given.

    Attributes:
        scale: How much is done.
        folder: Where homes and ledgers lie.
        server: PostgreSQL, with `fsync` on.
        draw: What happens when is drawn from this.
    """

    scale: Scale
    folder: Path
    server: postgresql.Server
    draw: random.Random = field(default_factory=lambda: random.Random(10))
    n_sites: int = 0

    def site(self, kind: str, home: Path | None = None) -> Site:
        """Make a home that is empty yet, with a database of this kind."""
        self.n_sites += 1
        home = home or self.folder / f"home-{self.n_sites}"
        home.mkdir(exist_ok=True)
        address = f"sqlite:///{home / 'second-look.db'}"
        if kind == "PostgreSQL":
            address = self.server.create(f"drill_{self.n_sites}")
        return Site(kind, home, address)

    def ledgers(self, n: int) -> list[Path]:
        """Return paths of ledgers, beside the homes."""
        folder = self.folder / f"ledgers-{self.n_sites}"
        folder.mkdir()
        return [folder / f"{number}.jsonl" for number in range(n)]


def times(seconds: Sequence[float]) -> Row:
    """Return how long things took as columns of a row."""
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    return {"p50, s": cuts[49], "p99, s": cuts[98], "longest, s": max(seconds)}
