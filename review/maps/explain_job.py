"""The worker's main job: predict a case, make its maps, and write both in one transaction.

Needs PyTorch; the web process never imports it.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.errors import NotFoundError
from db.tables import Case, Explanation, Job, Model, Prediction
from review.catalogue import PAIR
from review.healing import heal
from review.maps import recorded
from review.maps.again import remade_key
from review.maps.compute import Explained, explain, facts
from review.maps.recipes import Recipe, map_key
from review.progress import StagedProgress
from review.software import versions
from review.state.flags import refresh_flags
from review.state.held import insist_passed, insist_same_picture
from review.state.shown import pixel_aspect_of
from review.workspace import Workspace
from xai_core.model.loading import ModelCache
from xai_core.runtime.run import IsCancelled

NPY = "application/x-npy"
Write = Callable[[Session], None]


@dataclass(frozen=True)
class _Order:
    """What a job asks for, read from the record."""

    case: Case
    model: Model
    recipe: Recipe
    by: int | None


def prepare(
    ws: Workspace,
    job: Job,
    models: ModelCache,
    *,
    device: str,
    progress: StagedProgress,
    cancelled: IsCancelled,
) -> Write | None:
    """Compute what a job asks for, outside any transaction.

    Args:
        ws: The installation.
        job: An explaining job.
        models: Models that are loaded already.
        device: Where to compute.
        progress: Told how far the work is.
        cancelled: Asked between chunks of work.

    Returns:
        What writes the result within the caller's transaction; None if all of it is on record.

    Raises:
        XaiError: If the image or the model cannot be explained as they stand.
        RecordError: If the case, the model, the image or the weights are missing or damaged.
        HeldError: If the case is held back.
        Cancelled: If `cancelled` said so.
    """
    order = _read(ws, job)
    made = _made(ws, order)
    missing = tuple(method for method in order.recipe.methods if method not in made)
    if not missing:
        return None
    progress(0, 1, "Loading the model")
    explained = explain(
        recorded.loaded(ws, models, order.model, device=device),
        recorded.unit_image(ws, order.case, order.model),
        replace(order.recipe, methods=missing),
        progress=progress,
        cancelled=cancelled,
        pixel_aspect=pixel_aspect_of(order.case),
        known={method: recorded.attribution(ws, row) for method, row in made.items()},
    )
    return lambda session: _write(ws, session, order, explained)


def _read(ws: Workspace, job: Job) -> _Order:
    with ws.read() as session:
        case_id = job.payload["case_id"]
        case = insist_passed(session.get(Case, case_id), case_id=case_id)
        model = session.get(Model, job.payload["model_id"])
    if model is None:
        raise NotFoundError(f"the model of job {job.id} does not exist")
    return _Order(case, model, Recipe.from_json(job.payload), job.created_by)


def _made(ws: Workspace, order: _Order) -> dict[str, Explanation]:
    """Return the maps that are on record and whole, made under other jobs, by method.

    Besides those that the job asks for, these are the pair's, to compare new ones with.
    """
    with ws.read() as session:
        prediction = _prediction(session, order)
        if prediction is None:
            return {}
        target = prediction.target if order.recipe.target is None else order.recipe.target
        keys = [_key(order, method, target) for method in {*order.recipe.methods, *PAIR}]
        rows = session.scalars(select(Explanation).where(Explanation.key.in_(keys)))
        return {row.method: row for row in rows if ws.artifacts.is_whole(row.artifact_sha256)}


def _key(order: _Order, method: str, target: int) -> str:
    return map_key(order.case, order.model, method, recipe=order.recipe, target=target)


def _prediction(session: Session, order: _Order) -> Prediction | None:
    return session.scalar(
        select(Prediction).where(
            Prediction.case_id == order.case.id, Prediction.model_id == order.model.id
        )
    )


def _write(ws: Workspace, session: Session, order: _Order, explained: Explained) -> None:
    """Write what is not on record yet, and bring the case's flags up to date."""
    insist_same_picture(session, order.case)
    prediction = _prediction(session, order) or _add_prediction(session, order, explained)
    for map_, trust in zip(explained.maps, explained.trusts, strict=True):
        key, data = _key(order, map_.method, map_.target), recorded.npy(map_.values)
        known = session.scalar(select(Explanation).where(Explanation.key == key))
        if known is not None and not _heal(ws, session, order, known, data):
            key = remade_key(key, hashlib.sha256(data).hexdigest())
            known = session.scalar(select(Explanation).where(Explanation.key == key))
        if known is None:
            row = Explanation(
                key=key,
                prediction_id=prediction.id,
                artifact_sha256=ws.artifacts.put(session, data, media_type=NPY),
                width_px=map_.values.shape[2],
                height_px=map_.values.shape[1],
                recipe=order.recipe.for_map(map_.method),
                channels_share=map_.channels_share,
                software=versions(),
                **facts(map_, order.recipe, trust),
            )
            session.add(row)
    refresh_flags(session, order.case.id)


def _heal(ws: Workspace, session: Session, order: _Order, row: Explanation, data: bytes) -> bool:
    """Put a recorded map's file back if it is not whole; False where other values came out."""
    if ws.artifacts.is_whole(row.artifact_sha256):
        return True
    if hashlib.sha256(data).hexdigest() != row.artifact_sha256:
        return False
    what, case_id = f"map {row.id}", order.case.id
    return heal(ws, session, data, media_type=NPY, what=what, by=order.by, case_id=case_id)


def _add_prediction(session: Session, order: _Order, explained: Explained) -> Prediction:
    made = explained.prediction
    prediction = Prediction(
        case_id=order.case.id,
        model_id=order.model.id,
        target=made.target,
        label=made.label,
        score=made.score,
        scores=list(made.scores),
        answer=made.answer.label,
        certainty=made.answer.certainty,
        geometry=explained.geometry.to_json(),
        software=versions(),
    )
    session.add(prediction)
    session.flush()
    return prediction
