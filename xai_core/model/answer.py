"""What a model answers, read from its scores by its card.

This module costs no PyTorch, as cards do: screens and exports read answers from the record.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from xai_core.model.card import ScoreType

NO_FINDING = "no finding"
"""The answer of a model that asks each class for itself and calls none of them present."""

THRESHOLD = 0.5
"""The score from which a finding is called present where the card states no other."""


@dataclass(frozen=True)
class Answer:
    """What the scores say.

    Attributes:
        label: The class; of a model that asks each class for itself the headline finding where it
            is present, else `NO_FINDING`.
        target: Index of the class, or of the headline finding: of those present the most certain,
            else the one nearest to its threshold. Maps explain it unless asked otherwise.
        present: Indices of the classes that are called present, in the order of the card.
        certainty: How far the score of `target` lies from where the answer would be another one,
            in [0, 1]: with softmax the score, with sigmoid 0.5 at the threshold and 1 at the end.
    """

    label: str
    target: int
    present: tuple[int, ...]
    certainty: float


def thresholds_of(card: Mapping[str, Any]) -> tuple[float, ...] | None:
    """Return the score from which each class is present; None where exactly one class is right.

    Args:
        card: As `card_to_json` wrote it, by any version.
    """
    if card.get("scores") != ScoreType.SIGMOID:
        return None
    return tuple(card.get("thresholds") or (THRESHOLD,) * len(card["classes"]))


def read_answer(
    scores: Sequence[float],
    *,
    classes: Sequence[str],
    thresholds: Sequence[float] | None,
    among_equals: int | None = None,
) -> Answer:
    """Read scores by their card.

    Args:
        scores: In [0, 1], a score a class.
        classes: Their names, in the same order.
        thresholds: As `thresholds_of` returns them.
        among_equals: Index of the class to choose where several lead; by default the first.

    Example:
        >>> read_answer([0.1, 0.9], classes=("normal", "nodule"), thresholds=None)
        Answer(label='nodule', target=1, present=(1,), certainty=0.9)
        >>> read_answer([0.25], classes=("pneumonia",), thresholds=(0.5,))
        Answer(label='no finding', target=0, present=(), certainty=0.75)
    """

    def leading(values: Sequence[float]) -> int:
        order = range(len(values))
        return max(order, key=lambda index: (values[index], index == among_equals, -index))

    if thresholds is None:
        target = leading(scores)
        return Answer(classes[target], target, (target,), scores[target])
    pairs = list(zip(scores, thresholds, strict=True))
    present = tuple(index for index, (score, limit) in enumerate(pairs) if score >= limit)
    certainties = [_certainty(score, limit) for score, limit in pairs]
    if present:
        target = leading([c if i in present else -1.0 for i, c in enumerate(certainties)])
        return Answer(classes[target], target, present, certainties[target])
    target = leading([-certainty for certainty in certainties])
    return Answer(NO_FINDING, target, (), certainties[target])


def _certainty(score: float, threshold: float) -> float:
    if score >= threshold:
        return 0.5 + 0.5 * (score - threshold) / (1 - threshold)
    return 0.5 + 0.5 * (threshold - score) / threshold
