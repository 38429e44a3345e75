"""How model versions fare with their readers: where a shortcut learner stands out."""

from dataclasses import dataclass

from sqlalchemy import and_, func, select

from db.tables import Model, Prediction, TriageFlag, Verdict
from db.types import Opinion, TriageReason
from db.verdicts import is_current
from review.policy import Action, Actor, insist
from review.workspace import Workspace


@dataclass(frozen=True)
class ModelSummary:
    """How one model version fares with its readers: where a shortcut learner shows."""

    model_id: int
    model: str
    n_predictions: int
    n_judged: int
    n_accepted: int
    n_flags: dict[TriageReason, int]


def model_summaries(ws: Workspace, *, by: Actor) -> tuple[ModelSummary, ...]:
    """Return one row a model version: how often it was judged, accepted and flagged, and why."""
    current = (
        select(
            Verdict.prediction_id,
            func.min(Verdict.opinion).label("least"),
            func.max(Verdict.opinion).label("most"),
        )
        .where(is_current(), Verdict.opinion != Opinion.CANNOT_ASSESS)
        .group_by(Verdict.prediction_id)
        .subquery()
    )
    accepted = and_(current.c.least == Opinion.ACCEPT.value, current.c.most == Opinion.ACCEPT.value)
    with ws.read() as session:
        insist(session, by, Action.SEE_TRIAGE)
        flags: dict[int, dict[TriageReason, int]] = {}
        for model_id, reason, n in session.execute(
            select(Prediction.model_id, TriageFlag.reason, func.count())
            .join(Prediction, Prediction.id == TriageFlag.prediction_id)
            .group_by(Prediction.model_id, TriageFlag.reason)
        ):
            flags.setdefault(model_id, {})[reason] = n
        rows = session.execute(
            select(
                Model,
                func.count(Prediction.id),
                func.count(current.c.prediction_id),
                func.count(Prediction.id).filter(accepted),
            )
            .join(Prediction, Prediction.model_id == Model.id)
            .outerjoin(current, current.c.prediction_id == Prediction.id)
            .group_by(Model.id)
            .order_by(Model.name, Model.version)
        )
        return tuple(
            ModelSummary(
                model.id,
                f"{model.name} {model.version}",
                n_predictions,
                n_judged,
                n_accepted,
                flags.get(model.id, {}),
            )
            for model, n_predictions, n_judged, n_accepted in rows
        )
