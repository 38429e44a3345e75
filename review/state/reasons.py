"""The reasons that a reader can give, and of what each speaks: the answer or its reasoning."""

from dataclasses import dataclass
from enum import StrEnum


class Of(StrEnum):
    """What a reason speaks of."""

    ANSWER = "answer"
    REASONING = "reasoning"


@dataclass(frozen=True)
class Reason:
    """A reason in words, and what it speaks of."""

    words: str
    of: Of


REASONS = {
    "wrong_finding": Reason("Wrong finding", Of.ANSWER),
    "missed_finding": Reason("Finding missed", Of.ANSWER),
    "wrong_place": Reason("Wrong place", Of.REASONING),
    "looks_at_marker": Reason("Looks at a marker or text", Of.REASONING),
    "looks_outside": Reason("Looks outside the anatomy", Of.REASONING),
    "image_quality": Reason("Image quality", Of.ANSWER),
    "other": Reason("Other", Of.ANSWER),
}
"""By key, in the order in which screens list them."""


def keys_of(of: Of) -> tuple[str, ...]:
    """Return the keys of the reasons that speak of the answer, or of the reasoning."""
    return tuple(key for key, reason in REASONS.items() if reason.of is of)
