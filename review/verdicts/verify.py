"""Checking the record: every chain, the live rows beside them, what guards them, every artifact.

Rows are read in short transactions and files outside of any, so that readers can sign meanwhile.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from db import standing
from db.tables import Artifact
from review.audit import masked
from review.audit.live import missing_rows, n_rows, row_problems
from review.audit.walk import (
    ACCESSES,
    AUDIT,
    BATCH,
    CHAINS,
    UNREADABLE,
    VERDICTS,
    ChainWalk,
    Expected,
)
from review.policy import Action, Actor, insist
from review.progress import Progress
from review.verdicts import beside
from review.workspace import Workspace

MAX_NAMED = 100
# Says what is wrong with a file that should have this hash and size.
ArtifactCheck = Callable[[Path, str, int], str | None]


@dataclass(frozen=True)
class VerifyReport:
    """What the check found.

    Attributes:
        n_verdicts: Verdicts checked.
        n_events: Audit events checked.
        n_accesses: Accesses checked.
        n_artifacts: Artifacts checked.
        head_sha256: Hash of the last verdict; a copy kept elsewhere shows a rewritten chain.
        audit_head_sha256: Hash of the last audit event, likewise.
        access_head: How many accesses there ever were and the hash of the last, as "N:HASH".
        n_problems: How many problems there are.
        problems: What is wrong, the first bad row first, at most `MAX_NAMED`; empty if all is well.
        orphans: Files under the artifacts folder that no row names. Information, not a problem: an
            interrupted import leaves such files, and one under way has written them already.
    """

    n_verdicts: int
    n_events: int
    n_accesses: int
    n_artifacts: int
    head_sha256: str
    audit_head_sha256: str
    access_head: str
    n_problems: int
    problems: tuple[str, ...]
    orphans: tuple[Path, ...]


def content_problem(path: Path, sha256: str, n_bytes: int) -> str | None:
    """Return what is wrong with an artifact's file, read from end to end."""
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
            n_found = file.tell()
    except OSError as exc:
        return f"artifact {sha256}: cannot be read ({exc.strerror})"
    if found != sha256:
        return f"artifact {sha256}: its content was altered"
    return _size_problem(sha256, n_found, n_bytes)


def size_problem(path: Path, sha256: str, n_bytes: int) -> str | None:
    """Return what is wrong with an artifact's file as far as its size tells."""
    try:
        n_found = path.stat().st_size
    except OSError as exc:
        return f"artifact {sha256}: cannot be read ({exc.strerror})"
    return _size_problem(sha256, n_found, n_bytes)


def _size_problem(sha256: str, n_found: int, n_bytes: int) -> str | None:
    if n_found != n_bytes:
        return f"artifact {sha256}: has {n_found} bytes, on record are {n_bytes}"
    return None


def verify(
    ws: Workspace,
    *,
    by: Actor,
    expected: Sequence[Expected] = (),
    problems: Sequence[str] = (),
    check_artifact: ArtifactCheck = content_problem,
    progress: Progress | None = None,
) -> VerifyReport:
    """Check the whole record, in little memory.

    Every verdict: its hash, its place in the chain, and what was signed against the live rows.
    Every audit event, and every audited row against the last event that tells of it. Every access
    that is kept. Triggers and constraints. Every artifact's content.

    Args:
        ws: The installation.
        by: Who asks.
        expected: Heads that were noted elsewhere.
        problems: What was found before, with the places where those were noted.
        check_artifact: How an artifact's file is checked.
        progress: Called with (rows checked, rows in all).
    """
    with ws.read() as session:
        insist(session, by, Action.VERIFY)
        n_total = sum(chain.head_or_words(session)[0] for chain in CHAINS.values())
        n_total += session.scalar(select(func.count()).select_from(Artifact)) or 0
        n_total += n_rows(session)
    tally = _Tally(n_total, progress)
    verdicts = ChainWalk(ws, VERDICTS, beside.problems, expected)
    events = ChainWalk(ws, AUDIT, missing_rows, expected)
    accesses = ChainWalk(ws, ACCESSES, _nothing_beside, expected)
    for walk in (verdicts, events, accesses):
        tally.count(walk)
        for problem in walk.end_problems():
            tally.add(problem)
    tally.count(row_problems(ws))
    n_artifacts = tally.count(_artifact_problems(ws, check_artifact))
    for problem in (*problems, *_standing(ws), *_unmasked(ws)):
        tally.add(problem)
    return VerifyReport(
        verdicts.n_seen,
        events.n_seen,
        accesses.n_seen,
        n_artifacts,
        verdicts.head_sha256,
        events.head_sha256,
        accesses.head_words,
        tally.n_problems,
        tuple(tally.problems),
        tuple(_orphans(ws)),
    )


def _nothing_beside(session: Session, rows: Sequence[Any]) -> Mapping[int, str]:  # noqa: ARG001
    return {}


def _standing(ws: Workspace) -> list[str]:
    try:
        with ws.read() as session:
            return list(standing.problems(session.connection()))
    except DBAPIError as exc:
        return [f"the database's schema cannot be read: {exc.orig}"]


def _unmasked(ws: Workspace) -> list[str]:
    try:
        with ws.read() as session:
            return list(masked.problems(session, ws.artifacts))
    except UNREADABLE:
        return ["what was masked or held back cannot be read"]


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


def _artifact_problems(ws: Workspace, check: ArtifactCheck) -> Iterator[str | None]:
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
            yield check(ws.artifacts.path(sha256), sha256, n_bytes)
        last = batch[-1].sha256


def _orphans(ws: Workspace) -> Iterator[Path]:
    """Yield the files under the artifacts folder that no row names."""
    files = (path for path in ws.settings.artifacts_path.rglob("*") if path.is_file())
    while batch := list(islice(files, BATCH)):
        hashes = [path.parent.name + path.name for path in batch]
        with ws.read() as session:
            known = set(session.scalars(select(Artifact.sha256).where(Artifact.sha256.in_(hashes))))
        expected = {ws.artifacts.path(sha256) for sha256 in known}
        yield from (path for path in batch if path not in expected)
