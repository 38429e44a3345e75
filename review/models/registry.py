"""Model versions: importing, listing, switching on and off. Never loads PyTorch itself."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from db import jobs
from db.errors import ConflictError, NotFoundError
from db.inserting import insert_if_new
from db.selecting import count
from db.tables import Artifact, Case, Job, Model, Prediction
from db.types import JobKind, JobStatus
from review.healing import heal
from review.models import trial
from review.models.files import beside, golden_of
from review.models.trial import ModelImportError
from review.policy import Action, Actor, account_id, insist
from review.state.held import may_pass
from review.workspace import Workspace
from xai_core.model.card import ModelCard, card_from_json, card_to_json, parse_card, read_card
from xai_core.model.card_classes import listed_classes

WEIGHTS = "application/octet-stream"
Progress = Callable[[str], None]
"""Told what an import is at, in words."""


def _unheard(words: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class ModelView:
    """A model version as screens and the command line see it.

    Attributes:
        id: Its number.
        name: What it is called.
        version: Which of that name.
        stated: Its card as it is on record.
        active: Whether it explains new cases.
        suspended: Why its jobs wait, where they ended their workers.
        n_bytes: Size of its weights.
        n_cases: Cases that it has predicted.
        n_other_cases: Cases that it has not.
        n_waiting: Its explanations that are asked for and not made yet.
        created_at: When it was imported.
        notes: What its import had to say, right after it.
    """

    id: int
    name: str
    version: str
    stated: Mapping[str, Any]
    active: bool
    suspended: str | None
    n_bytes: int
    n_cases: int
    n_other_cases: int
    n_waiting: int
    created_at: datetime
    notes: tuple[str, ...] = ()

    @property
    def exact_name(self) -> str:
        """NAME:VERSION, as the command line takes it."""
        return f"{self.name}:{self.version}"

    @cached_property
    def card(self) -> ModelCard:
        """What its makers state.

        Raises:
            CardError: If what is on record is no whole card.
        """
        return card_from_json(self.stated)


def import_model(
    ws: Workspace, card_path: Path, *, by: Actor, progress: Progress = _unheard
) -> ModelView:
    """Import a model version from its card; weights and golden image lie beside it.

    Raises:
        ModelImportError: If the card, the weights or the image cannot be used.
        CardError: If the card is incomplete or contradicts itself.
        ConflictError: If this name and version is on record with another content.
    """
    card = read_card(card_path)
    golden = None if card.golden is None else beside(card, card.golden.image, "golden image")
    weights = beside(card, card.weights, "weights")
    return _import(ws, card, weights, golden, by=by, progress=progress)


def import_uploaded(
    ws: Workspace,
    card: bytes,
    weights: bytes,
    golden: bytes | None = None,
    *,
    by: Actor,
    progress: Progress = _unheard,
) -> ModelView:
    """Import a model version from the bytes of its card, its weights and its golden image.

    Raises:
        ModelImportError: If the weights or the image cannot be used.
        CardError: If the card is incomplete or contradicts itself.
        ConflictError: If this name and version is on record with another content.
    """
    return _import(ws, parse_card(card), weights, golden, by=by, progress=progress)


def import_checked(ws: Workspace, card_path: Path, *, by: Actor) -> ModelView:
    """Import a model version of our own, whose weights the tests have tried already.

    Raises:
        ModelImportError: If the weights do not hash to what the card says.
        ConflictError: If this name and version is on record with another content.
    """
    card = read_card(card_path)
    weights = beside(card, card.weights, "weights")
    _check_hash(card, weights)
    return _store(ws, card, weights, by=by)


def list_models(ws: Workspace, *, by: Actor) -> tuple[ModelView, ...]:
    """Return every model version, by name and version."""
    with ws.read() as session:
        insist(session, by, Action.READ)
        models = session.scalars(select(Model).order_by(Model.name, Model.id)).all()
        return tuple(_view(session, model) for model in models)


def find(ws: Workspace, name: str, *, by: Actor) -> ModelView:
    """Return the model version called NAME:VERSION, or the newest of those called NAME.

    Raises:
        NotFoundError: If there is none; names those there are.
    """
    every = list_models(ws, by=by)
    wanted = [model for model in every if name in (model.name, model.exact_name)]
    if not wanted:
        known = ", ".join(model.exact_name for model in every)
        raise NotFoundError(f"there is no model {name!r}; there are: {known or 'none'}")
    return max(wanted, key=lambda model: (model.active, model.id))


def set_active(ws: Workspace, model_id: int, *, active: bool, by: Actor) -> None:
    """Choose whether a model version explains new cases; what it has predicted stays.

    Raises:
        NotFoundError: If there is no such model.
    """
    with ws.begin() as session:
        insist(session, by, Action.MANAGE_MODELS)
        model = session.get(Model, model_id)
        if model is None:
            raise NotFoundError(f"model {model_id} does not exist")
        model.active = active


def resume(ws: Workspace, model_id: int, *, by: Actor) -> None:
    """Let the jobs of a suspended model go on, behind all others.

    Raises:
        NotFoundError: If there is no such model.
    """
    with ws.begin() as session:
        insist(session, by, Action.MANAGE_MODELS)
        model = session.get(Model, model_id)
        if model is None:
            raise NotFoundError(f"model {model_id} does not exist")
        model.suspended = None
        jobs.let_go(session, model_id)


def _import(
    ws: Workspace,
    card: ModelCard,
    weights: bytes,
    golden: bytes | None,
    *,
    by: Actor,
    progress: Progress,
) -> ModelView:
    _check_hash(card, weights)
    notes: tuple[str, ...] = ()
    try:
        with ws.read() as session:
            insist(session, by, Action.MANAGE_MODELS)
            _recorded(session, card)
    except NotFoundError:
        unit = None
        if card.golden is not None:
            progress("Reading the golden image")
            unit = golden_of(ws, card, card.golden, golden)
        progress("Trying the model in a process of its own")
        notes = trial.tried(card, weights, unit)
    if card.classes == listed_classes(len(card.classes), None):
        notes = (*notes, "the classes have numbers, no names: readers see those")
    if card.golden is None:
        notes = (*notes, "the card has no golden image: its preprocessing was not tried")
    progress("Keeping the weights")
    return replace(_store(ws, card, weights, by=by), notes=notes)


def _check_hash(card: ModelCard, weights: bytes) -> None:
    found = sha256(weights).hexdigest()
    if found != card.weights_sha256:
        raise ModelImportError(
            f"the weights file hashes to {found}, but the card says {card.weights_sha256}: "
            "it is another file, or was damaged on the way"
        )


def _store(ws: Workspace, card: ModelCard, weights: bytes, *, by: Actor) -> ModelView:
    with ws.begin() as session:
        insist(session, by, Action.MANAGE_MODELS)
        if session.get(Artifact, card.weights_sha256) is not None:
            heal(ws, session, weights, media_type=WEIGHTS, what="weights", by=account_id(by))
        row = {
            "name": card.name,
            "version": card.version,
            "architecture": card.architecture,
            "weights_sha256": ws.artifacts.put(session, weights, media_type=WEIGHTS),
            "card": card_to_json(card),
            "created_by": account_id(by),
        }
        insert_if_new(session, Model, row)
        return _view(session, _recorded(session, card))


def _recorded(session: Session, card: ModelCard) -> Model:
    """Return the row of this name and version.

    Raises:
        ConflictError: If its content is another one.
        NotFoundError: If there is none.
    """
    model = session.scalar(
        select(Model).where(Model.name == card.name, Model.version == card.version)
    )
    if model is None:
        raise NotFoundError(f"there is no model {card.name}:{card.version}")
    # What the file was called is of no consequence.
    given = card_to_json(replace(card, weights=model.card["weights"]))
    on_record = card_to_json(card_from_json(model.card))  # by an older version, with fewer keys
    differing = [key for key, value in given.items() if value != on_record[key]]
    if differing:
        raise ConflictError(
            f"{card.name} {card.version} is on record with another {', '.join(differing)}, and "
            "verdicts refer to it as it is: give the new one another version"
        )
    return model


def _view(session: Session, model: Model) -> ModelView:
    n_cases = count(session, select(Prediction.id).where(Prediction.model_id == model.id))
    waiting = select(Job.id).where(
        Job.status.in_((JobStatus.QUEUED, JobStatus.RUNNING)),
        Job.kind == JobKind.EXPLAIN,
        jobs.of_model(model.id),
    )
    return ModelView(
        id=model.id,
        name=model.name,
        version=model.version,
        stated=model.card,
        active=model.active,
        suspended=model.suspended,
        n_bytes=session.get_one(Artifact, model.weights_sha256).n_bytes,
        n_cases=n_cases,
        n_other_cases=_n_other_cases(session, model.id),
        n_waiting=count(session, waiting),
        created_at=model.created_at,
    )


def _n_other_cases(session: Session, model_id: int) -> int:
    predicted = select(Prediction.id).where(Prediction.case_id == Case.id)
    by_it = predicted.where(Prediction.model_id == model_id).exists()
    return count(session, select(Case.id).where(may_pass(), ~by_it))
