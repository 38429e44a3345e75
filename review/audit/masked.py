"""Whether pictures in which text may stand are where the record says: held back, or gone."""

from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.artifacts import ArtifactStore
from db.selecting import batches
from db.tables import Artifact, Case, TextEvent
from db.types import CaseStatus, TextStep
from review.state.held import is_last


def removed(session: Session) -> dict[str, int]:
    """Return every artifact that was removed with an unmasked picture, with its case."""
    masked = select(TextEvent.case_id, TextEvent.removed).where(TextEvent.step == TextStep.MASKED)
    found = {sha256: case_id for case_id, gone in session.execute(masked) for sha256 in gone}
    for some in batches(list(found)):
        # The same bytes may have come in again, as another case.
        for sha256 in session.scalars(select(Artifact.sha256).where(Artifact.sha256.in_(some))):
            del found[sha256]
    return found


def problems(session: Session, artifacts: ArtifactStore) -> Iterator[str]:
    """Yield which of them are still there, and which cases stand otherwise than was decided."""
    for sha256, case_id in removed(session).items():
        if artifacts.exists(sha256):
            yield (
                f"case {case_id}: artifact {sha256} of its unmasked picture is still there; the "
                "next start of a worker removes it"
            )
    yield from _otherwise(session)


def _otherwise(session: Session) -> Iterator[str]:
    held = select(TextEvent.case_id).where(TextEvent.step == TextStep.HELD, is_last())
    stands, is_held = Case.status == CaseStatus.HELD, Case.id.in_(held)
    for case_id, status in session.execute(
        select(Case.id, Case.status).where(stands != is_held).order_by(Case.id)
    ):
        told = "held back" if status is not CaseStatus.HELD else "never held back, or let pass"
        yield f"case {case_id}: its status is {status.value!r} and it was {told}"
