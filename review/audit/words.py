"""Saying where two values differ."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from db.hashing import canonical

LONGEST = 72  # characters of a value


class _Nothing:
    def __repr__(self) -> str:
        return "not there"


NOTHING = _Nothing()


@dataclass(frozen=True)
class Difference:
    """The first place at which something differs from what was recorded.

    Attributes:
        path: The keys and indices that lead to it.
        found: What is there.
        recorded: What was recorded.
    """

    path: tuple[str | int, ...]
    found: object
    recorded: object

    def told(self, verb: str) -> str:
        """Return both values in words, as "is 'normal' and was signed as 'nodule'"."""
        if self.recorded is NOTHING:
            return f"is {words(self.found)} and was not {verb}"
        return f"is {words(self.found)} and was {verb} as {words(self.recorded)}"


def first_difference(
    recorded: Any, found: Any, path: tuple[str | int, ...] = ()
) -> Difference | None:
    """Return where a value first differs from what was recorded; None if nowhere."""
    if recorded is found or _canonical(recorded) == _canonical(found):
        return None
    if isinstance(recorded, Mapping) and isinstance(found, Mapping):
        keys: list[Any] = [*recorded, *sorted(found.keys() - recorded.keys())]
        pairs = [(key, recorded.get(key, NOTHING), found.get(key, NOTHING)) for key in keys]
    elif isinstance(recorded, list) and isinstance(found, list) and len(recorded) == len(found):
        pairs = list(zip(range(len(found)), recorded, found, strict=True))
    else:
        return Difference(path, found, recorded)
    for key, one, other in pairs:
        if difference := first_difference(one, other, (*path, key)):
            return difference
    return None


def words(value: object) -> str:
    """Return a value on one line, shortened."""
    text = repr(value) if isinstance(value, str | _Nothing) else _canonical(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _canonical(value: object) -> str:
    return repr(value) if value is NOTHING else canonical(value)
