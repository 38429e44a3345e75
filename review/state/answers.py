"""What a recorded prediction answers, by the card of its model."""

from collections.abc import Mapping
from typing import Any

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
