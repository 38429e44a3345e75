"""What a site's monitoring wants to know of it, in numbers alone: no name, nothing of a patient."""

import os
import shutil
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Lock

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.tables import Job, Verdict, WebSession
from db.types import JobStatus, Opinion, now
from review import in_use
from review.errors import SettingsError
from review.workspace import Workspace

TOKEN_VARIABLE = "SECOND_LOOK_METRICS_TOKEN"  # noqa: S105 - its name
SHORTEST_TOKEN = 16


@dataclass(frozen=True)
class Figures:
    """How a site stands.

    Attributes:
        jobs: How many jobs are in each state.
        oldest_waiting_s: How long the oldest job has waited, in seconds; 0 where none waits.
        verdicts: How many verdicts of each opinion were signed, superseded ones included.
        n_sessions: How many browsers are signed in and not idle for too long.
        n_workers: How many workers hold a device on this machine.
        disk_free_bytes: Room on the disk that holds the home.
        disk_bytes: Size of that disk.
    """

    jobs: dict[str, int]
    oldest_waiting_s: float
    verdicts: dict[str, int]
    n_sessions: int
    n_workers: int
    disk_free_bytes: int
    disk_bytes: int


@dataclass
class VerdictCounter:
    """Counts verdicts once each: they are only ever added, so what was counted stays so."""

    last_id: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    lock: Lock = field(default_factory=Lock)  # two may ask at once, and none is counted twice

    def count(self, session: Session) -> Counter[str]:
        """Return how many of each opinion there are; the caller holds the lock."""
        new = session.execute(
            select(Verdict.opinion, func.count(), func.max(Verdict.id))
            .where(Verdict.id > self.last_id)
            .group_by(Verdict.opinion)
        ).all()
        for opinion, n, last_id in new:
            self.counts[opinion.value] += n
            self.last_id = max(self.last_id, last_id)
        return self.counts


def gather(ws: Workspace, counter: VerdictCounter) -> Figures:
    """Return how the site stands now."""
    with counter.lock, ws.read() as session:
        by_state = select(Job.status, func.count()).group_by(Job.status)
        jobs = {state.value: n for state, n in session.execute(by_state)}
        verdicts = dict(counter.count(session))
        oldest = session.scalar(
            select(func.min(Job.created_at)).where(Job.status == JobStatus.QUEUED)
        )
        n_sessions = _n_sessions(session, ws.settings.idle)
    disk = shutil.disk_usage(ws.settings.home)
    locks = (ws.settings.home / in_use.LOCKS).glob("*.lock")
    return Figures(
        jobs={state.value: jobs.get(state.value, 0) for state in JobStatus},
        oldest_waiting_s=(now() - oldest).total_seconds() if oldest else 0.0,
        verdicts={opinion.value: verdicts.get(opinion.value, 0) for opinion in Opinion},
        n_sessions=n_sessions,
        n_workers=sum(path.name != in_use.NAME and in_use.is_locked(path) for path in locks),
        disk_free_bytes=disk.free,
        disk_bytes=disk.total,
    )


def _n_sessions(session: Session, idle: timedelta) -> int:
    at = now()
    live = select(func.count(WebSession.token_sha256)).where(
        WebSession.revoked_at.is_(None),
        WebSession.expires_at > at,
        WebSession.last_seen_at > at - idle,
    )
    return session.scalar(live) or 0


def token() -> str | None:
    """Return the secret with which the figures may be asked for; None if nobody may.

    Raises:
        SettingsError: If it is too short to be one.
    """
    value = os.environ.get(TOKEN_VARIABLE, "").strip()
    if value and len(value) < SHORTEST_TOKEN:
        raise SettingsError(
            f"{TOKEN_VARIABLE} has {len(value)} characters: {SHORTEST_TOKEN} or more are needed, "
            "as `openssl rand -hex 32` makes them"
        )
    return value or None
