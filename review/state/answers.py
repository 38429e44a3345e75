"""What a recorded prediction answers, by the card of its model."""

from collections.abc import Mapping
from typing import Any

from db.types import Call
from xai_core.model.answer import Answer, read_answer, thresholds_of


def answer_of(prediction: Any, card: Mapping[str, Any]) -> Answer:
    """Read a prediction's scores by its model's card.

    Args:
        prediction: A row with `scores` and `target`; among equal scores the one that was explained
            leads.
        card: As the model's row holds it.
    """
    return read_answer(
        prediction.scores,
        classes=card["classes"],
        thresholds=thresholds_of(card),
        among_equals=prediction.target,
    )


def calls_of(prediction: Any, card: Mapping[str, Any]) -> dict[str, Call] | None:
    """Return what a model calls each of its findings; None where exactly one class is right.

    Args:
        prediction: As `answer_of` takes it.
        card: As `answer_of` takes it.
    """
    if thresholds_of(card) is None:
        return None
    present = answer_of(prediction, card).present
    return {
        name: Call.PRESENT if index in present else Call.ABSENT
        for index, name in enumerate(card["classes"])
    }
