"""The worker's second job: check a map thoroughly, and write map and check as a new row.

Needs PyTorch; the web process never imports it.
"""

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.errors import NotFoundError
from db.tables import Case, Explanation, Job, Model, Prediction
from review.maps import recorded
from review.maps.checks import checked_key
from review.maps.compute import check
from review.maps.explain_job import Write
from review.maps.recipes import Recipe
from review.progress import StagedProgress
from review.software import versions
from review.state.flags import refresh_flags
from review.state.held import insist_passed, insist_same_picture
from review.state.shown import pixel_aspect_of
from review.workspace import Workspace
from xai_core.model.loading import ModelCache
from xai_core.runtime.run import IsCancelled


def prepare(
    ws: Workspace,
    job: Job,
    models: ModelCache,
    *,
    device: str,
    progress: StagedProgress,
    cancelled: IsCancelled,
) -> Write | None:
    """Check a map, outside any transaction.

    Args:
        ws: The installation.
        job: A checking job.
        models: Models that are loaded already.
        device: Where to compute.
        progress: Told how far the work is.
        cancelled: Asked between chunks of work.

    Returns:
        What writes the result within the caller's transaction; None if it is on record.

    Raises:
        XaiError: If the image or the model cannot be explained as they stand.
        RecordError: If the map, the image or the weights are missing or damaged.
        RecipeError: If the record does not say how the map was made.
        HeldError: If the case is held back.
        Cancelled: If `cancelled` said so.
    """
    with ws.read() as session:
        row = session.get(Explanation, job.payload["explanation_id"])
        if row is None:
            raise NotFoundError(f"the map of job {job.id} does not exist")
        if _is_checked(session, row):
            return None
        prediction = session.get_one(Prediction, row.prediction_id)
        case_id = prediction.case_id
        case = insist_passed(session.get(Case, case_id), case_id=case_id)
        model = session.get_one(Model, prediction.model_id)
    recipe = Recipe.of_map(row.method, row.recipe, target=row.target)
    progress(0, 1, "Loading the model")
    trust = check(
        recorded.loaded(ws, models, model, device=device),
        recorded.unit_image(ws, case, model),
        recipe,
        recorded.attribution(ws, row),
        row.trust,
        pixel_aspect=pixel_aspect_of(case),
        progress=progress,
        cancelled=cancelled,
    )

    def write(session: Session) -> None:
        insist_same_picture(session, case)
        if not _is_checked(session, row):
            session.add(_checked(row, trust))
        refresh_flags(session, case.id)

    return write


def _is_checked(session: Session, row: Explanation) -> bool:
    key = checked_key(row.key)
    return session.scalar(select(Explanation.id).where(Explanation.key == key)) is not None


def _checked(row: Explanation, trust: dict[str, object]) -> Explanation:
    return Explanation(
        key=checked_key(row.key),
        prediction_id=row.prediction_id,
        method=row.method,
        target=row.target,
        params=row.params,
        recipe=row.recipe,
        channels_share=row.channels_share,
        artifact_sha256=row.artifact_sha256,
        width_px=row.width_px,
        height_px=row.height_px,
        convergence_delta=row.convergence_delta,
        relative_delta=row.relative_delta,
        trust=trust,
        seconds=row.seconds,
        device=row.device,
        software=versions(),
    )
