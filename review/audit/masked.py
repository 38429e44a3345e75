"""Whether the pictures that were masked are gone, as the record says they are."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.artifacts import ArtifactStore
from db.selecting import batches
from db.tables import Artifact, TextEvent
from db.types import TextStep


def removed(session: Session) -> dict[str, int]:
    """Return every artifact that was removed with an unmasked picture, with its case."""
    masked = select(TextEvent.case_id, TextEvent.removed).where(TextEvent.step == TextStep.MASKED)
    found = {sha256: case_id for case_id, gone in session.execute(masked) for sha256 in gone}
    for some in batches(list(found)):
        # The same bytes may have come in again, as another case.
        for sha256 in session.scalars(select(Artifact.sha256).where(Artifact.sha256.in_(some))):
            del found[sha256]
    return found


def problems(session: Session, artifacts: ArtifactStore) -> list[str]:
    """Return which of them are still there, in words."""
    return [
        f"case {case_id}: artifact {sha256} of its unmasked picture is still there; the next start "
        "of a worker removes it"
        for sha256, case_id in removed(session).items()
        if artifacts.exists(sha256)
    ]
