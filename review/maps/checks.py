"""Asking for the thorough check of a map: is it stable, and does it depend on the weights?

The check explains the image again and again, so it is made on request. What it finds becomes a new
row with the same values: a recorded map is never changed.
"""

from db import jobs
from db.tables import Model, Prediction
from db.types import JobKind
from review.digests import digest
from review.maps.drawn import shown_explanation
from review.policy import Action, Actor, account_id, insist
from review.workspace import Workspace


def request(ws: Workspace, explanation_id: int, *, by: Actor, priority: int = 0) -> int:
    """Ask for the thorough check of a map and return the job; it is not done twice.

    Args:
        ws: The installation.
        explanation_id: The map.
        by: Who asks.
        priority: Higher comes first.

    Raises:
        NotFoundError: If there is no such map.
        HeldError: If its case is held back.
    """
    with ws.begin() as session:
        insist(session, by, Action.EXPLAIN)
        explanation = shown_explanation(session, explanation_id)
        prediction = session.get_one(Prediction, explanation.prediction_id)
        model = session.get_one(Model, prediction.model_id)
        job = jobs.enqueue(
            session,
            key=digest({"kind": JobKind.CHECK, "map": explanation.key}),
            kind=JobKind.CHECK,
            payload={
                "case_id": prediction.case_id,
                "model_id": prediction.model_id,
                "explanation_id": explanation.id,
            },
            case_id=prediction.case_id,
            priority=jobs.HELD
            if model.suspended
            else jobs.fair(session, priority, asker=account_id(by)),
            created_by=account_id(by),
        )
        return job.id


def checked_key(map_key: str) -> str:
    """Return the key of the row that holds a map with its thorough check."""
    return digest({"checked": map_key})
