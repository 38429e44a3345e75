"""What was on a reader's screen, by hash: the part of a verdict that binds it to its evidence."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.errors import NotFoundError
from db.tables import Case, Explanation, Model, Prediction, Setting
from review.digests import digest
from review.errors import StaleCaseError
from review.state.acquired import acquired
from review.state.answers import answer_of
from review.state.shown import drawn, window_on_screen
from review.verdicts import asked
from xai_core.model.answer import thresholds_of

LONGEST_LIST = 64


def evidence_of(
    session: Session, prediction_id: int, explanation_ids: Sequence[int]
) -> dict[str, Any]:
    """Return everything a screen shows of a prediction: image, model, scores and maps.

    Raises:
        NotFoundError: If there is no such prediction.
        StaleCaseError: If an explanation belongs to another prediction.
    """
    row = session.execute(
        select(Prediction, Case, Model, Setting)
        .join(Case, Case.id == Prediction.case_id)
        .join(Model, Model.id == Prediction.model_id)
        .outerjoin(Setting, Setting.key == asked.KEY)
        .where(Prediction.id == prediction_id)
    ).one_or_none()
    if row is None:
        raise NotFoundError(f"prediction {prediction_id} does not exist")
    prediction, case, model, of_site = row
    maps = session.scalars(
        select(Explanation)
        .where(Explanation.id.in_(explanation_ids), Explanation.prediction_id == prediction_id)
        .order_by(Explanation.id)
    ).all()
    if len(maps) != len(set(explanation_ids)):
        raise StaleCaseError("a map on the screen does not belong to this prediction")
    findings = asked.asked_of(model.card, answer_of(prediction, model.card), of_site)
    return shown(prediction, case, model, maps) | {"asked": _listed(list(findings))}


def shown(prediction: Any, case: Any, model: Any, maps: Sequence[Any]) -> dict[str, Any]:
    """Return what a screen shows of these rows, or of rows with the columns that this needs.

    What was signed keeps its form: `review.verdicts.beside` compares by these names, so that one
    that changes its meaning gets another name. What is asked depends on the site's list too, and
    stands beside.
    """
    thresholds = thresholds_of(model.card)
    return {
        "case_id": case.id,
        "image_sha256": case.image_sha256,
        "window": [float(edge) for edge in window_on_screen(case, model.card)],
        "rescale": [float(case.rescale_slope), float(case.rescale_intercept)],
        "pixels": {
            "width": case.width_px,
            "height": case.height_px,
            "channels": case.n_channels,
            "bits": case.bits,
        },
        "drawn": drawn(case),
        "synthetic": case.synthetic,
        "acquired": acquired(case),
        "model": f"{model.name} {model.version}",
        "weights_sha256": model.weights_sha256,
        "architecture": model.architecture,
        "classes": _listed(model.card.get("classes")),
        "scoring": model.card.get("scores"),
        "thresholds": _listed(thresholds and list(thresholds)),
        "preprocessing": model.card.get("preprocessing"),
        "target": prediction.target,
        "answer": prediction.answer,
        "label": prediction.label,
        "score": float(prediction.score),
        "scores": _listed(prediction.scores),
        "geometry": prediction.geometry,
        "maps": [shown_map(row) for row in maps],
    }


def evidence_token(session: Session, prediction_id: int, explanation_ids: Sequence[int]) -> str:
    """Return the hash of everything a screen shows, for the screen to hand back."""
    return digest(evidence_of(session, prediction_id, explanation_ids))


def _listed(values: Any) -> Any:
    """Return a list, or its length and hash where it would fill the record."""
    if not isinstance(values, list) or len(values) <= LONGEST_LIST:
        return values
    return {"n": len(values), "json_sha256": digest(values)}


def shown_map(row: Any) -> dict[str, Any]:
    """Return what a verdict signs of one map."""
    return {
        "explanation_id": row.id,
        "method": row.method,
        "target": row.target,
        "sha256": row.artifact_sha256,
        "params": row.params,
        "relative_delta": row.relative_delta,
        "trust": row.trust,
        "software": row.software,
        "recipe": row.recipe,
        "channels_share": row.channels_share,
    }
