"""Checking the record: the chain of verdicts, their evidence, and every artifact."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db import verdicts as chain
from db.tables import Artifact
from review.workspace import Workspace

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class VerifyReport:
    """What the check found.

    Attributes:
        n_verdicts: Verdicts checked.
        n_artifacts: Artifacts checked.
        head_sha256: Hash of the last verdict; a copy kept elsewhere shows a rewritten chain.
        problems: What is wrong, the first bad row first; empty if all is well.
        orphans: Files under the artifacts folder that no row names; information, not a problem.
    """

    n_verdicts: int
    n_artifacts: int
    head_sha256: str
    problems: tuple[str, ...]
    orphans: tuple[Path, ...]


def verify(ws: Workspace, *, progress: Progress | None = None) -> VerifyReport:
    """Check every verdict's hash and every artifact's content, in constant memory.

    Args:
        ws: The installation.
        progress: Called with (rows checked, rows in all).
    """
    with ws.read() as session:
        n_signed, head = chain.head(session)
        n_artifacts = session.scalar(select(func.count()).select_from(Artifact)) or 0
        n_total = n_signed + n_artifacts
        problems: list[str] = []
        n_done = 0
        for problem in _verdict_problems(session, n_signed, head):
            problems += [problem] if problem else []
            n_done += 1
            _report(progress, n_done, n_total)
        known = set()
        for artifact in session.scalars(select(Artifact).execution_options(yield_per=500)):
            path = ws.artifacts.path(artifact.sha256)
            known.add(path)
            if problem := _artifact_problem(artifact, path):
                problems.append(problem)
            n_done += 1
            _report(progress, n_done, n_total)
        orphans = tuple(p for p in _files(ws.settings.artifacts_path) if p not in known)
        return VerifyReport(n_signed, n_artifacts, head, tuple(problems), orphans)


def _verdict_problems(session: Session, n_signed: int, head: str) -> Iterator[str | None]:
    """Yield a problem or None for each verdict, then one for a chain that is cut short."""
    expected, n_seen = chain.GENESIS, 0
    for verdict in chain.chain(session):
        n_seen += 1
        if verdict.previous_sha256 != expected:
            yield f"verdict {verdict.id}: a verdict before it is missing, inserted or altered"
        elif chain.row_sha256(verdict) != verdict.row_sha256:
            yield f"verdict {verdict.id}: its content was altered after it was signed"
        else:
            yield _evidence_problem(session, verdict.id, verdict.evidence)
        expected = verdict.row_sha256
    if n_seen != n_signed or expected != head:
        yield f"verdict chain: {n_signed} verdicts were signed, {n_seen} are there"


def _evidence_problem(session: Session, verdict_id: int, evidence: dict[str, object]) -> str | None:
    maps = evidence.get("maps")
    shown = [evidence.get("image_sha256"), evidence.get("weights_sha256")]
    shown += [m["sha256"] for m in maps] if isinstance(maps, list) else []
    for sha256 in shown:
        if sha256 and session.get(Artifact, sha256) is None:
            return f"verdict {verdict_id}: its evidence {sha256} is not on record"
    return None


def _artifact_problem(artifact: Artifact, path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as exc:
        return f"artifact {artifact.sha256}: cannot be read ({exc.strerror})"
    if digest != artifact.sha256:
        return f"artifact {artifact.sha256}: its content was altered"
    return None


def _files(root: Path) -> Iterator[Path]:
    return (path for path in root.glob("??/*") if path.is_file())


def _report(progress: Progress | None, n_done: int, n_total: int) -> None:
    if progress is not None:
        progress(n_done, n_total)
