"""Opening a case: everything that a reader is shown of it, in one consistent look."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.tables import Case, Explanation, Job, Model, Prediction, Setting
from db.types import AccessKind, JobKind, JobStatus, now
from imaging.image import Shading
from review.cases.own import EarlierVerdict, earlier_verdicts, pictures
from review.cases.studies import Standing, standings
from review.catalogue import PAIR
from review.maps.again import AGAIN
from review.maps.recipes import Recipe
from review.maps.requests import JobView, job_view
from review.policy import Action, Actor, account_id, insist
from review.state.acquired import acquired
from review.state.answers import answer_of
from review.state.held import insist_passed
from review.state.shown import pixel_aspect_of, shading_of, told_of_model, window_on_screen
from review.verdicts import asked
from review.verdicts.evidence import evidence_token
from review.verdicts.unsigned import DraftView, offered
from review.workspace import Workspace
from xai_core.model.answer import Answer, thresholds_of

Kind = Literal["class", "findings"]


@dataclass(frozen=True)
class ImageView:
    """The pixels under review, and how to show them; see `db.tables.Case`."""

    sha256: str
    width_px: int
    height_px: int
    n_channels: int
    bits: int
    window_low: float
    window_high: float
    rescale_slope: float
    rescale_intercept: float
    shading: Shading
    pixel_aspect: float


@dataclass(frozen=True)
class PredictionView:
    """What one model version said of the case; `scores` are in the order of `classes`.

    Attributes:
        kind: "class" where exactly one is right, "findings" where each is a question of its own.
        answer: What the scores say by the card.
        thresholds: Of findings, the score from which each is present; else None.
        asked: The findings that a reader is asked about; empty where it is the class.
        card: The model's, as JSON.
        target: The class that the maps explain unless asked otherwise, with its label and score.
    """

    id: int
    model_id: int
    model: str
    version: str
    weights_sha256: str
    classes: tuple[str, ...]
    limits: str
    target: int
    label: str
    score: float
    scores: tuple[float, ...]
    kind: Kind
    answer: Answer
    thresholds: tuple[float, ...] | None
    asked: tuple[str, ...]
    geometry: Mapping[str, float]
    card: Mapping[str, Any]


@dataclass(frozen=True)
class MapView:
    """One attribution map: what it explains, how it was made, how far it can be trusted."""

    explanation_id: int
    method: str
    artifact_sha256: str
    width_px: int
    height_px: int
    params: Mapping[str, Any]
    recipe: Mapping[str, Any] | None
    relative_delta: float | None
    trust: Mapping[str, Any]


@dataclass(frozen=True)
class CaseView:
    """A case as one reader sees it.

    Attributes:
        standing: Where it stands in its study, and which of its frames it shows.
        predictions: What each model said, the oldest model first.
        prediction: The one that is open; None while there is none.
        target: The class that the maps explain; None while there is no prediction.
        recipe: How the maps that were asked for are made; None is those made last, however.
        methods: Whose maps lie on the left and on the right.
        maps: The newest map of each of them; None where there is none.
        jobs: The job that makes the missing map of each, if there is or was one.
        checks: The job that checks each map thoroughly, if there is or was one.
        verdicts: This reader's verdicts on the prediction, the newest first.
        draft: What this reader has entered on it and not signed, if anything.
        pictures: Every map of the prediction that can be opened, by `picture_of`.
        evidence_token: Handed back with a verdict, to prove what was on screen.
    """

    case_id: int
    synthetic: bool
    modality: str | None
    view_position: str | None
    laterality: str | None
    standing: Standing
    notes: tuple[str, ...]
    image: ImageView
    predictions: tuple[PredictionView, ...]
    prediction: PredictionView | None
    target: int | None
    recipe: Recipe | None
    methods: tuple[str, ...]
    maps: tuple[MapView | None, ...]
    jobs: tuple[JobView | None, ...]
    checks: tuple[JobView | None, ...]
    verdicts: tuple[EarlierVerdict, ...]
    draft: DraftView | None
    pictures: tuple[str, ...]
    evidence_token: str


def open_case(
    ws: Workspace,
    case_id: int,
    *,
    reader_id: Actor,
    model_id: int | None = None,
    target: int | None = None,
    recipe: Recipe | None = None,
    methods: tuple[str, ...] = PAIR,
) -> CaseView:
    """Return what a reader is shown of a case.

    Args:
        ws: The installation.
        case_id: The case.
        reader_id: Who reads, and whose earlier verdicts to show.
        model_id: Whose prediction to open; by default that of the oldest model that made one.
        target: The class whose maps to open; by default the predicted one.
        recipe: The preset, baseline and stepping whose maps to open; by default those made last.
        methods: Whose maps to open, left and right.

    Raises:
        AccessError: If this account may not read.
        NotFoundError: If there is no such case.
        HeldError: If it is held back.
    """
    look = _Look(methods, target, recipe)
    view = _view(ws, case_id, look, reader_id=reader_id, model_id=model_id)
    ws.trail.note(AccessKind.CASE_OPENED, reader_id, case_id=case_id)
    return view


def open_ahead(
    ws: Workspace, case_id: int, *, reader_id: Actor, model_id: int | None = None
) -> CaseView:
    """Return what a reader will be shown of a case that they may go to next.

    Raises:
        AccessError: If this account may not read.
        NotFoundError: If there is no such case.
    """
    view = _view(ws, case_id, _Look(PAIR, None, None), reader_id=reader_id, model_id=model_id)
    ws.trail.note(AccessKind.CASE_SENT_AHEAD, reader_id, case_id=case_id)
    return view


def _view(
    ws: Workspace, case_id: int, look: "_Look", *, reader_id: Actor, model_id: int | None
) -> CaseView:
    with ws.read() as session:
        insist(session, reader_id, Action.READ)
        case = insist_passed(session.get(Case, case_id), case_id=case_id)
        predictions = _predictions(session, case_id)
        chosen = next((p for p in predictions if p.model_id == model_id), None)
        prediction = chosen or next(iter(predictions), None)
        card = prediction.card if prediction else None
        target = look.target
        if prediction and not (target is not None and 0 <= target < len(prediction.classes)):
            target = prediction.target
        look = replace(look, target=target)
        maps = _maps(session, prediction, look)
        jobs = _jobs(session, case_id)
        return CaseView(
            case_id=case.id,
            synthetic=case.synthetic,
            **acquired(case),
            standing=standings(session, [case.id])[case.id],
            notes=(*map(str, case.notes), *told_of_model(case, card)),
            image=_image(case, card),
            predictions=predictions,
            prediction=prediction,
            target=target if prediction else None,
            recipe=look.recipe,
            methods=look.methods,
            maps=maps,
            jobs=_making(jobs, prediction, look, maps),
            checks=_checking(jobs, maps),
            verdicts=earlier_verdicts(session, account_id(reader_id), prediction.id)
            if prediction
            else (),
            draft=offered(session, account_id(reader_id), prediction.id) if prediction else None,
            pictures=pictures(session, prediction.id) if prediction else (),
            evidence_token=_token(session, prediction, maps),
        )


def _image(case: Case, card: Mapping[str, Any] | None) -> ImageView:
    low, high = window_on_screen(case, card)
    return ImageView(
        sha256=case.image_sha256,
        width_px=case.width_px,
        height_px=case.height_px,
        n_channels=case.n_channels,
        bits=case.bits,
        window_low=low,
        window_high=high,
        rescale_slope=case.rescale_slope,
        rescale_intercept=case.rescale_intercept,
        shading=shading_of(case),
        pixel_aspect=pixel_aspect_of(case),
    )


def _predictions(session: Session, case_id: int) -> tuple[PredictionView, ...]:
    rows = session.execute(
        select(Prediction, Model, Setting)
        .join(Model, Model.id == Prediction.model_id)
        .outerjoin(Setting, Setting.key == asked.KEY)
        .where(Prediction.case_id == case_id)
        .order_by(Model.id)
    )
    return tuple(_prediction(*row) for row in rows)


def _prediction(prediction: Prediction, model: Model, of_site: Setting | None) -> PredictionView:
    thresholds, answer = thresholds_of(model.card), answer_of(prediction, model.card)
    return PredictionView(
        id=prediction.id,
        model_id=model.id,
        model=model.name,
        version=model.version,
        weights_sha256=model.weights_sha256,
        classes=tuple(model.card["classes"]),
        limits=str(model.card.get("limits", "")),
        target=prediction.target,
        label=prediction.label,
        score=prediction.score,
        scores=tuple(prediction.scores),
        kind="class" if thresholds is None else "findings",
        answer=answer,
        thresholds=thresholds,
        asked=asked.asked_of(model.card, answer, of_site),
        geometry=prediction.geometry,
        card=model.card,
    )


@dataclass(frozen=True)
class _Look:
    """Which maps of a prediction are open."""

    methods: tuple[str, ...]
    target: int | None
    recipe: Recipe | None


def _maps(
    session: Session, prediction: PredictionView | None, look: _Look
) -> tuple[MapView | None, ...]:
    if prediction is None:
        return (None,) * len(look.methods)
    rows = session.scalars(
        select(Explanation)
        .where(Explanation.prediction_id == prediction.id, Explanation.target == look.target)
        .where(Explanation.method.in_(look.methods))
        .order_by(Explanation.id)
    )
    recipe = look.recipe
    newest = {
        row.method: row for row in rows if recipe is None or recipe.has_made(row.method, row.recipe)
    }
    return tuple(_map(newest[m]) if m in newest else None for m in look.methods)


def _map(row: Explanation) -> MapView:
    return MapView(
        explanation_id=row.id,
        method=row.method,
        artifact_sha256=row.artifact_sha256,
        width_px=row.width_px,
        height_px=row.height_px,
        params=row.params,
        recipe=row.recipe,
        relative_delta=row.relative_delta,
        trust=row.trust,
    )


def _jobs(session: Session, case_id: int) -> Sequence[Job]:
    """Return the case's jobs, the newest first."""
    kinds = (JobKind.EXPLAIN, JobKind.CHECK)
    return session.scalars(
        select(Job).where(Job.case_id == case_id, Job.kind.in_(kinds)).order_by(Job.id.desc())
    ).all()


def _making(
    jobs: Sequence[Job],
    prediction: PredictionView | None,
    look: _Look,
    maps: tuple[MapView | None, ...],
) -> tuple[JobView | None, ...]:
    """Return, for each map that is missing, the newest job that makes, or was to make, it.

    Of a map that is there, the job that makes its damaged file again, as long as it is at work.
    """
    at = now()
    found = []
    for method, map_ in zip(look.methods, maps, strict=True):
        makes = (job for job in jobs if _makes(job, method, prediction, look))
        again = (job for job in jobs if map_ and _makes_again(job, map_.explanation_id))
        job = next(again if map_ else makes, None)
        found.append(job_view(job, at) if job else None)
    return tuple(found)


def _checking(jobs: Sequence[Job], maps: tuple[MapView | None, ...]) -> tuple[JobView | None, ...]:
    """Return, for each map, the job that checks it thoroughly."""
    at = now()
    checks = {job.payload["explanation_id"]: job for job in jobs if job.kind is JobKind.CHECK}
    found = (checks.get(map_.explanation_id) if map_ else None for map_ in maps)
    return tuple(job_view(job, at) if job else None for job in found)


def _makes_again(job: Job, explanation_id: int) -> bool:
    at_work = job.status in (JobStatus.QUEUED, JobStatus.RUNNING)
    return at_work and job.payload.get(AGAIN) == explanation_id


def _makes(job: Job, method: str, prediction: PredictionView | None, look: _Look) -> bool:
    payload = job.payload
    if job.kind is not JobKind.EXPLAIN or method not in payload.get("methods", PAIR):
        return False
    if prediction is None:
        return True
    asked = payload.get("target")
    return (
        payload.get("model_id") == prediction.model_id
        and (prediction.target if asked is None else asked) == look.target
        and (look.recipe is None or look.recipe.has_ordered(method, payload))
    )


def _token(
    session: Session, prediction: PredictionView | None, maps: tuple[MapView | None, ...]
) -> str:
    if prediction is None:
        return ""
    shown = [m.explanation_id for m in maps if m]
    return evidence_token(session, prediction.id, shown)
