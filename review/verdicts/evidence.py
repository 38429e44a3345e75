"""What was on a reader's screen, by hash: the part of a verdict that binds it to its evidence."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.errors import NotFoundError
from db.tables import Case, Explanation, Model, Prediction
from review.digests import digest
from review.errors import StaleCaseError


def evidence_of(
    session: Session, prediction_id: int, explanation_ids: Sequence[int]
) -> dict[str, Any]:
    """Return everything a screen shows of a prediction: image, model, scores and maps.

    Raises:
        NotFoundError: If there is no such prediction.
        StaleCaseError: If an explanation belongs to another prediction.
    """
    row = session.execute(
        select(Prediction, Case, Model)
        .join(Case, Case.id == Prediction.case_id)
        .join(Model, Model.id == Prediction.model_id)
        .where(Prediction.id == prediction_id)
    ).one_or_none()
    if row is None:
        raise NotFoundError(f"prediction {prediction_id} does not exist")
    prediction, case, model = row
    maps = session.scalars(
        select(Explanation)
        .where(Explanation.id.in_(explanation_ids), Explanation.prediction_id == prediction_id)
        .order_by(Explanation.id)
    ).all()
    if len(maps) != len(set(explanation_ids)):
        raise StaleCaseError("a map on the screen does not belong to this prediction")
    return {
        "case_id": case.id,
        "image_sha256": case.image_sha256,
        "model": f"{model.name} {model.version}",
        "weights_sha256": model.weights_sha256,
        "label": prediction.label,
        "score": prediction.score,
        "scores_sha256": digest(prediction.scores),
        "maps": [_map(shown) for shown in maps],
    }


def evidence_token(session: Session, prediction_id: int, explanation_ids: Sequence[int]) -> str:
    """Return the hash of everything a screen shows, for the screen to hand back."""
    return digest(evidence_of(session, prediction_id, explanation_ids))


def _map(shown: Explanation) -> dict[str, Any]:
    return {
        "explanation_id": shown.id,
        "method": shown.method,
        "target": shown.target,
        "sha256": shown.artifact_sha256,
        "params": shown.params,
        "trust": shown.trust,
        "software": shown.software,
    }
