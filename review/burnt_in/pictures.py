"""Putting a masked picture in the place of the one that came in, of which nothing is left."""

from collections.abc import Collection

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from db.artifacts import ArtifactStore
from db.tables import Case, Draft, Explanation, Job, Prediction, Source, TriageFlag
from review.audit.masked import removed
from review.burnt_in.noticing import OF_A_CASE
from review.exporting import requests
from review.workspace import Workspace


def put_picture(
    session: Session, artifacts: ArtifactStore, case: Case, *, png: bytes, thumbnail: bytes
) -> list[str]:
    """Give a case, on which nobody has judged, another picture; drop what was made of the former.

    A job that runs loses its row, and with it the right to write what it makes.

    Returns:
        The artifacts that no row refers to any more, for `erase_removed`.
    """
    former = [case.image_sha256, case.thumbnail_sha256]
    case.image_sha256 = artifacts.put(session, png, media_type="image/png")
    case.thumbnail_sha256 = artifacts.put(session, thumbnail, media_type="image/png")
    if case.image_sha256 == former[0]:
        return []
    # Nobody has looked at the other frames of a stack: the text may stand there as well.
    for frame in session.scalars(select(Source).where(Source.case_id == case.id)):
        former.append(frame.image_sha256)
        frame.image_sha256 = None
    predictions = select(Prediction.id).where(Prediction.case_id == case.id)
    made = Explanation.prediction_id.in_(predictions)
    maps = session.scalars(select(Explanation.artifact_sha256).where(made)).all()
    for rows in (
        delete(TriageFlag).where(TriageFlag.case_id == case.id),
        delete(Draft).where(Draft.prediction_id.in_(predictions)),
        delete(Explanation).where(made),
        delete(Prediction).where(Prediction.case_id == case.id),
        delete(Job).where(Job.case_id == case.id, Job.kind.in_(OF_A_CASE)),
    ):
        session.execute(rows, execution_options={"synchronize_session": False})
    return sorted(artifacts.let_go(session, {*filter(None, former), *maps}))


def erase_removed(ws: Workspace, hashes: Collection[str]) -> None:
    """Erase the files of an unmasked picture and its maps, and the exports that hold one of them.

    Raises:
        ArtifactError: If a file cannot be removed; the next start of a worker tries again.
    """
    if hashes:
        with ws.begin() as session:
            ws.artifacts.erase(session, hashes)
        requests.forget(ws, hashes)


def sweep(ws: Workspace) -> None:
    """Erase what a process that ended in between has left of unmasked pictures."""
    with ws.read() as session:
        hashes = removed(session)
    left = [sha256 for sha256 in hashes if ws.artifacts.exists(sha256)]
    if left:
        with ws.begin() as session:
            ws.artifacts.erase(session, left)
    if hashes:
        requests.forget(ws, hashes)
