"""Asking for explanations, and following them: the jobs themselves are done by the workers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.orm import Session

from db import jobs
from db.errors import NotFoundError
from db.selecting import batches
from db.tables import Case, Job, Model, Prediction
from db.types import CaseStatus, JobKind, JobStatus, now
from review.maps.recipes import Recipe, RecipeError, check_target, job_key
from review.policy import Action, Actor, account_id, insist
from review.state.held import insist_passed, may_pass
from review.state.status import refresh_status
from review.workspace import Workspace

BULK_PRIORITY = -10  # work that nobody waits for comes last
N_AT_ONCE = 200
MIN_SHARE_TO_FORETELL = 0.02


@dataclass(frozen=True)
class JobView:
    """How far one explanation has come.

    Attributes:
        id: The job's number.
        case_id: What it explains.
        model_id: By which model version.
        status: Where the job stands.
        stage: What the worker is doing, in plain words; empty while it waits.
        fraction: Share of the work that is done, 0 to 1.
        seconds_left: Foretold from the measured rate; None while that is unknown.
        error: Why it failed, in plain words.
    """

    id: int
    case_id: int
    model_id: int
    status: JobStatus
    stage: str
    fraction: float
    seconds_left: float | None
    error: str | None


def request(
    ws: Workspace,
    case_id: int,
    *,
    by: Actor,
    model_id: int | None = None,
    recipe: Recipe = Recipe(),  # noqa: B008 - frozen
    priority: int = 0,
) -> list[int]:
    """Ask for prediction and maps of a case; what was asked for before is not done twice.

    Args:
        ws: The installation.
        case_id: The case.
        by: Who asks.
        model_id: The model version; None is every active one.
        recipe: What to explain, and how.
        priority: Higher comes first.

    Returns:
        The jobs, one a model version; empty where no model is active.

    Raises:
        NotFoundError: If there is no such case or model.
        HeldError: If the case is held back.
        RecipeError: If the target does not exist.
    """
    if recipe.target is not None and model_id is None:
        raise RecipeError("a target is a class of one model: say which model")
    with ws.begin() as session:
        insist(session, by, Action.EXPLAIN)
        case = insist_passed(session.get(Case, case_id), case_id=case_id)
        models = active_models(session) if model_id is None else [_model(session, model_id)]
        asker = account_id(by)
        return enqueue(session, case, models, recipe=recipe, by=asker, priority=priority)


def request_all(ws: Workspace, model_id: int, *, by: Actor) -> int:
    """Ask one model version to explain every case that it has not predicted; return how many.

    The cases come in batches, so that nobody's verdict waits long for the database.
    """
    asker = account_id(by)
    with ws.read() as session:
        insist(session, by, Action.MANAGE_MODELS)
        _model(session, model_id)
        predicted = exists().where(Prediction.case_id == Case.id, Prediction.model_id == model_id)
        case_ids = session.scalars(
            select(Case.id).where(~predicted, may_pass()).order_by(Case.id)
        ).all()
    for batch in batches(case_ids, N_AT_ONCE):
        with ws.begin() as session:
            model = _model(session, model_id)
            chosen = select(Case).where(Case.id.in_(batch), may_pass())
            for case in session.scalars(chosen.order_by(Case.id)):
                enqueue(session, case, [model], recipe=Recipe(), by=asker, priority=BULK_PRIORITY)
    return len(case_ids)


def enqueue(
    session: Session,
    case: Case,
    models: Sequence[Model],
    *,
    recipe: Recipe,
    by: int | None,
    priority: int,
) -> list[int]:
    """Queue a recipe for a case with each model version, within the caller's transaction."""
    job_ids = []
    for model in models:
        if recipe.target is not None:
            check_target(recipe.target, model.card["classes"])
        resolved = recipe.for_card(model.card)
        job = jobs.enqueue(
            session,
            key=job_key(case, model, resolved),
            kind=JobKind.EXPLAIN,
            payload={"case_id": case.id, "model_id": model.id, **resolved.to_json()},
            case_id=case.id,
            priority=jobs.HELD if model.suspended else jobs.fair(session, priority, asker=by),
            created_by=by,
        )
        job_ids.append(job.id)
    if case.status is CaseStatus.FAILED:
        refresh_status(session, case.id)
    return job_ids


def active_models(session: Session) -> list[Model]:
    """Return the model versions that explain new cases, the oldest first."""
    return list(session.scalars(select(Model).where(Model.active).order_by(Model.id)))


def progress(
    ws: Workspace,
    *,
    by: Actor,
    case_ids: Sequence[int] | None = None,
    job_ids: Sequence[int] | None = None,
) -> list[JobView]:
    """Return the explaining jobs of some cases, or some jobs, in the order they were asked for."""
    chosen = [(Job.case_id, case_ids or ()), (Job.id, job_ids or ())]
    at = now()
    with ws.read() as session:
        insist(session, by, Action.READ)
        return [
            job_view(job, at)
            for column, ids in chosen
            for batch in batches(ids, N_AT_ONCE)
            for job in _explaining(session, column.in_(batch))
        ]


def cancel(ws: Workspace, job_id: int, *, by: Actor) -> None:
    """Stop a job: at once where it waits, after its current step where it runs.

    Raises:
        AccessError: If another account asked for it, and this one may not cancel what others ask.
        NotFoundError: If there is no such job.
    """
    with ws.begin() as session:
        insist(session, by, Action.EXPLAIN)
        job = _job(session, job_id)
        if job.created_by not in (None, account_id(by)):
            insist(session, by, Action.CANCEL_OTHERS)
        jobs.request_cancel(session, job_id)
        refresh_status(session, job.payload["case_id"])


def retry(ws: Workspace, job_id: int, *, by: Actor) -> None:
    """Queue a failed or cancelled job again; any other is left as it is.

    Raises:
        NotFoundError: If there is no such job.
        HeldError: If its case is held back.
    """
    with ws.begin() as session:
        insist(session, by, Action.EXPLAIN)
        job = _job(session, job_id)
        case_id = job.payload["case_id"]
        insist_passed(session.get(Case, case_id), case_id=case_id)
        jobs.enqueue(session, key=job.key, kind=job.kind, payload=job.payload, case_id=job.case_id)
        refresh_status(session, job.payload["case_id"])


def _model(session: Session, model_id: int) -> Model:
    model = session.get(Model, model_id)
    if model is None:
        raise NotFoundError(f"model {model_id} does not exist")
    return model


def _job(session: Session, job_id: int) -> Job:
    job = session.get(Job, job_id)
    if job is None or job.kind not in (JobKind.EXPLAIN, JobKind.CHECK):
        raise NotFoundError(f"explanation job {job_id} does not exist")
    return job


def _explaining(session: Session, chosen: ColumnElement[bool]) -> Sequence[Job]:
    return session.scalars(
        select(Job).where(Job.kind == JobKind.EXPLAIN, chosen).order_by(Job.id)
    ).all()


def job_view(job: Job, at: datetime) -> JobView:
    """Return how far an explaining job has come at some time."""
    fraction = min(1.0, job.n_done / job.n_total) if job.n_total else 0.0
    seconds_left = None
    if job.status is JobStatus.RUNNING and job.started_at and fraction >= MIN_SHARE_TO_FORETELL:
        seconds_left = (at - job.started_at).total_seconds() * (1 - fraction) / fraction
    return JobView(
        id=job.id,
        case_id=job.payload["case_id"],
        model_id=job.payload["model_id"],
        status=job.status,
        stage=job.stage,
        fraction=fraction,
        seconds_left=seconds_left,
        error=job.error,
    )
