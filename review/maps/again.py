"""Asking for a recorded map whose file is damaged or missing to be made again.

Where the same values come out, the file is whole again. Where others do, for software or device
are others, they become a new row: what verdicts refer to is never changed.
"""

from db import jobs
from db.tables import Model, Prediction
from db.types import JobKind, JobStatus
from review.digests import digest
from review.maps.drawn import shown_explanation
from review.maps.recipes import Recipe
from review.policy import Action, Actor, account_id, insist
from review.workspace import Workspace

AGAIN = "again"  # in a job's payload: the map that is made again


def request(ws: Workspace, explanation_id: int, *, by: Actor, priority: int = 0) -> int | None:
    """Ask for a map to be made again and return the job; None where its file is whole.

    Args:
        ws: The installation.
        explanation_id: The map.
        by: Who asks.
        priority: Higher comes first.

    Raises:
        NotFoundError: If there is no such map.
        HeldError: If its case is held back.
        RecipeError: If the record does not say how it was made.
    """
    with ws.begin() as session:
        insist(session, by, Action.EXPLAIN)
        row = shown_explanation(session, explanation_id)
        if ws.artifacts.is_whole(row.artifact_sha256):
            return None
        prediction = session.get_one(Prediction, row.prediction_id)
        model = session.get_one(Model, prediction.model_id)
        recipe, asker = Recipe.of_map(row.method, row.recipe, target=row.target), account_id(by)
        ids = {"case_id": prediction.case_id, "model_id": model.id, AGAIN: row.id}
        job = jobs.enqueue(
            session,
            key=digest({"kind": AGAIN, "map": row.key}),
            kind=JobKind.EXPLAIN,
            payload=ids | recipe.to_json(),
            case_id=prediction.case_id,
            priority=jobs.HELD if model.suspended else jobs.fair(session, priority, asker=asker),
            created_by=asker,
        )
        if job.status is JobStatus.DONE:  # it was made again before, and is damaged once more
            jobs.requeue(session, job)
        return job.id


def remade_key(map_key: str, artifact_sha256: str) -> str:
    """Return the key of the row that holds a map as it came out when it was made again."""
    return digest({AGAIN: map_key, "artifact": artifact_sha256})
