"""Which findings a reader is asked about: the site's list, or what the model says."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.tables import Model, Setting
from review.errors import ReviewError
from review.policy import Action, Actor, insist
from review.typed import echo
from review.workspace import Workspace
from xai_core.model.answer import Answer, thresholds_of
from xai_core.model.card_checks import did_you_mean

KEY = "asked_findings"
MAX_ASKED = 64


class AskedError(ReviewError):
    """A list of findings makes no sense."""


def asked_of(card: Mapping[str, Any], answer: Answer, setting: Setting | None) -> tuple[str, ...]:
    """Return the findings that a reader of a prediction is asked about.

    Those of the site's list that the model knows; without any, those that the model calls present,
    or all that it knows where it calls none. Nothing where exactly one class is right: the class is
    asked about.

    Args:
        card: The model's.
        answer: What the model answers.
        setting: The site's choice, by `KEY`; None where it never made one.
    """
    if thresholds_of(card) is None:
        return ()
    classes = card["classes"]
    listed = tuple(name for name in _of_site(setting) if name in classes)
    return listed or tuple(classes[index] for index in answer.present) or tuple(classes)


def site_list(ws: Workspace, *, by: Actor) -> tuple[str, ...]:
    """Return the findings that the site asks about in every case; empty where it has no list."""
    with ws.read() as session:
        insist(session, by, Action.READ)
        return _of_site(session.get(Setting, KEY))


def known(ws: Workspace, *, by: Actor) -> tuple[str, ...]:
    """Return the findings of all models that ask each class for itself."""
    with ws.read() as session:
        insist(session, by, Action.READ)
        return _known(session)


def choose(ws: Workspace, findings: Sequence[str], *, by: Actor) -> None:
    """Set the findings that readers are asked about; none takes the site's list away.

    What was signed keeps what was asked then. A case that is open has to be looked at again.

    Raises:
        AccessError: If the actor may not change settings.
        AskedError: If no model knows a finding, one is named twice, or there are too many.
    """
    with ws.begin() as session:
        insist(session, by, Action.MANAGE_SETTINGS)
        _check(findings, _known(session))
        if tuple(findings) != _of_site(setting := session.get(Setting, KEY)):
            setting = setting or Setting(key=KEY)
            setting.value = {"findings": list(findings)}
            session.add(setting)


def _check(findings: Sequence[str], allowed: Sequence[str]) -> None:
    if len(findings) > MAX_ASKED:
        raise AskedError(f"{len(findings)} findings; allowed are {MAX_ASKED}")
    for number, name in enumerate(findings):
        if name not in allowed:
            hint = did_you_mean(name, allowed)
            names = ", ".join(allowed) or "none, since no model here asks each finding for itself"
            raise AskedError(
                f"{echo(name)} is no finding of a model here{hint or f'; allowed: {names}'}"
            )
        if name in findings[:number]:
            raise AskedError(f"{name} is named twice")


def _of_site(setting: Setting | None) -> tuple[str, ...]:
    return tuple(setting.value["findings"]) if setting else ()


def _known(session: Session) -> tuple[str, ...]:
    cards = session.scalars(select(Model.card).order_by(Model.id))
    # A card that is not whole, which explains nothing, has no findings either.
    whole = (card for card in cards if card.get("classes"))
    names = (n for card in whole if thresholds_of(card) is not None for n in card["classes"])
    return tuple(dict.fromkeys(names))
