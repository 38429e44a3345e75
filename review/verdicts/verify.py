"""Checking the record: the chain of verdicts, their evidence, and every artifact.

Rows are read in short transactions and files outside of any, so that readers can sign meanwhile.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from db import verdicts as chain
from db.tables import Artifact, Verdict
from review.policy import Action, Actor, insist
from review.workspace import Workspace

BATCH = 500
MAX_NAMED = 100
EVIDENCE_KEYS = {"image_sha256", "weights_sha256", "sha256"}
# What reading an altered value raises: not a date, not JSON, not of the enumeration, not text.
UNREADABLE = (ValueError, TypeError, LookupError, DBAPIError)

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class VerifyReport:
    """What the check found.

    Attributes:
        n_verdicts: Verdicts checked.
        n_artifacts: Artifacts checked.
        head_sha256: Hash of the last verdict; a copy kept elsewhere shows a rewritten chain.
        n_problems: How many problems there are.
        problems: What is wrong, the first bad row first, at most `MAX_NAMED`; empty if all is well.
        orphans: Files under the artifacts folder that no row names. Information, not a problem: an
            interrupted import leaves such files, and one under way has written them already.
    """

    n_verdicts: int
    n_artifacts: int
    head_sha256: str
    n_problems: int
    problems: tuple[str, ...]
    orphans: tuple[Path, ...]


def verify(ws: Workspace, *, by: Actor, progress: Progress | None = None) -> VerifyReport:
    """Check every verdict's hash and evidence and every artifact's content, in little memory.

    Args:
        ws: The installation.
        by: Who asks.
        progress: Called with (rows checked, rows in all).
    """
    with ws.read() as session:
        insist(session, by, Action.VERIFY)
        n_signed, _ = _head(session)
        n_stored = session.scalar(select(func.count()).select_from(Artifact)) or 0
    tally = _Tally(n_signed + n_stored, progress)
    walk = _ChainWalk(ws)
    n_verdicts = tally.count(walk)
    tally.add(walk.end_problem())
    n_artifacts = tally.count(_artifact_problems(ws))
    return VerifyReport(
        n_verdicts,
        n_artifacts,
        walk.head_sha256,
        tally.n_problems,
        tuple(tally.problems),
        tuple(_orphans(ws)),
    )


@dataclass
class _Tally:
    """The problems found so far; only the first are kept."""

    n_total: int
    progress: Progress | None
    n_done: int = 0
    n_problems: int = 0
    problems: list[str] = field(default_factory=list)

    def count(self, checks: Iterable[str | None]) -> int:
        """Take a problem or None for each row, and return how many rows there were."""
        before = self.n_done
        try:
            for problem in checks:
                self.n_done += 1
                self.add(problem)
                if self.progress is not None:
                    self.progress(self.n_done, max(self.n_done, self.n_total))
        except DBAPIError as exc:
            self.add(f"the database is damaged and cannot be read on: {exc.orig}")
        return self.n_done - before

    def add(self, problem: str | None) -> None:
        if problem is not None:
            self.n_problems += 1
            self.problems += [problem] if self.n_problems <= MAX_NAMED else []


class _ChainWalk:
    """The verdicts in order of signing, each with a problem or None.

    Verdicts signed during the walk belong to it: the recorded head is read together with the last,
    empty batch.
    """

    def __init__(self, ws: Workspace) -> None:
        self._ws = ws
        self._n_seen = 0
        self._expected = chain.GENESIS
        self._n_signed = 0
        self.head_sha256 = chain.GENESIS

    def __iter__(self) -> Iterator[str | None]:
        batch: list[tuple[int, Verdict | None]] = [(0, None)]
        while batch:
            with self._ws.read() as session:
                batch = _batch(session, after_id=batch[-1][0])
                absent = _absent(session, [row.evidence for _, row in batch if row is not None])
                self._n_signed, self.head_sha256 = _head(session)
            for verdict_id, verdict in batch:
                self._n_seen += 1
                if verdict is None:
                    yield f"verdict {verdict_id}: a value was altered and cannot be read"
                    continue
                yield _verdict_problem(verdict, self._expected, absent)
                self._expected = verdict.row_sha256

    def end_problem(self) -> str | None:
        """Return what is wrong with the end of the chain, once it was walked."""
        if (self._n_seen, self._expected) == (self._n_signed, self.head_sha256):
            return None
        return (
            f"verdict chain: {self._n_signed} verdicts were signed and {self._n_seen} are there; "
            f"the last should have hash {self.head_sha256} and has {self._expected}"
        )


def _head(session: Session) -> tuple[int, str]:
    try:
        return chain.head(session)
    except UNREADABLE:
        return 0, "unreadable"


def _batch(session: Session, *, after_id: int) -> list[tuple[int, Verdict | None]]:
    """Return the next verdicts with their ids; None for one whose values cannot be read."""
    ids = session.scalars(
        select(Verdict.id).where(Verdict.id > after_id).order_by(Verdict.id).limit(BATCH)
    ).all()
    try:
        rows = session.scalars(select(Verdict).where(Verdict.id.in_(ids)).order_by(Verdict.id))
        return [(row.id, row) for row in rows]
    except UNREADABLE:
        return [(verdict_id, _readable(session, verdict_id)) for verdict_id in ids]


def _readable(session: Session, verdict_id: int) -> Verdict | None:
    try:
        return session.get(Verdict, verdict_id)
    except UNREADABLE:
        return None


def _verdict_problem(verdict: Verdict, expected: str, absent: set[str]) -> str | None:
    if verdict.previous_sha256 != expected:
        return f"verdict {verdict.id}: a verdict before it is missing, inserted or altered"
    try:
        found = chain.row_sha256(verdict)
    except UNREADABLE:
        found = ""
    if found != verdict.row_sha256:
        return f"verdict {verdict.id}: its content was altered after it was signed"
    if missing := absent.intersection(_artifacts_of(verdict.evidence)):
        return f"verdict {verdict.id}: its evidence {min(missing)} is not on record"
    return None


def _absent(session: Session, evidence: list[Any]) -> set[str]:
    """Return the artifacts that evidence names and no row has."""
    named = {sha256 for shown in evidence for sha256 in _artifacts_of(shown)}
    return named - set(session.scalars(select(Artifact.sha256).where(Artifact.sha256.in_(named))))


def _artifacts_of(shown: Any) -> Iterator[str]:
    """Yield every artifact's hash in evidence, whatever its shape: it may have been altered."""
    if isinstance(shown, list):
        for part in shown:
            yield from _artifacts_of(part)
    if isinstance(shown, dict):
        for key, part in shown.items():
            if key in EVIDENCE_KEYS and isinstance(part, str):
                yield part
            else:
                yield from _artifacts_of(part)


def _artifact_problems(ws: Workspace) -> Iterator[str | None]:
    """Yield a problem or None for each artifact, by hash."""
    last = ""
    while True:
        with ws.read() as session:
            batch = session.execute(
                select(Artifact.sha256, Artifact.n_bytes)
                .where(Artifact.sha256 > last)
                .order_by(Artifact.sha256)
                .limit(BATCH)
            ).all()
        if not batch:
            return
        for sha256, n_bytes in batch:
            yield _artifact_problem(ws.artifacts.path(sha256), sha256, n_bytes)
        last = batch[-1].sha256


def _artifact_problem(path: Path, sha256: str, n_bytes: int) -> str | None:
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
            n_found = file.tell()
    except OSError as exc:
        return f"artifact {sha256}: cannot be read ({exc.strerror})"
    if found != sha256:
        return f"artifact {sha256}: its content was altered"
    if n_found != n_bytes:
        return f"artifact {sha256}: has {n_found} bytes, on record are {n_bytes}"
    return None


def _orphans(ws: Workspace) -> Iterator[Path]:
    """Yield the files under the artifacts folder that no row names."""
    files = (path for path in ws.settings.artifacts_path.rglob("*") if path.is_file())
    while batch := list(islice(files, BATCH)):
        hashes = [path.parent.name + path.name for path in batch]
        with ws.read() as session:
            known = set(session.scalars(select(Artifact.sha256).where(Artifact.sha256.in_(hashes))))
        expected = {ws.artifacts.path(sha256) for sha256 in known}
        yield from (path for path in batch if path not in expected)
