"""From measures to one badge and the reasons for it, by the thresholds in `thresholds.toml`."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

THRESHOLDS = Path(__file__).with_name("thresholds.toml")


class Badge(StrEnum):
    """What a reader should make of a map at a glance, the best first."""

    GOOD = "good"
    CAUTION = "caution"
    POOR = "poor"


class Side(StrEnum):
    """Which values of a measure count against a map."""

    ABOVE = "above"
    BELOW = "below"


@dataclass(frozen=True)
class BadgeRule:
    """A measure, the values at which it counts against a map, and what is then said.

    Attributes:
        measure: Name of the measure; parts of a group by a dot: "agreement.spearman".
        bad: On which side of the limits the measure counts against the map; `ABOVE` includes the
            limit. A measure that is True or False counts as 1 or 0.
        caution: Where the map is to be read with caution.
        poor: Where it should not be relied on; None where the measure alone cannot say so.
        needs: Another measure that must have been taken, too, for this one to count.
        basis: What the limits are by.
        words: A sentence; `{value}` is the measure.
    """

    measure: str
    bad: Side
    caution: float
    poor: float | None
    words: str
    needs: str | None = None
    basis: str = ""

    def badge(self, value: float) -> Badge:
        """Return what this measure alone makes of the map."""
        if self.poor is not None and self._reached(value, self.poor):
            return Badge.POOR
        return Badge.CAUTION if self._reached(value, self.caution) else Badge.GOOD

    def value(self, measures: Mapping[str, Any]) -> float | None:
        """Return the measure that the rule judges, or None where it does not count."""
        if self.needs is not None and measure_of(measures, self.needs) is None:
            return None
        return measure_of(measures, self.measure)

    def _reached(self, value: float, limit: float) -> bool:
        return value >= limit if self.bad is Side.ABOVE else value < limit


@cache
def rules() -> tuple[BadgeRule, ...]:
    """Return the rules of `thresholds.toml`, in the order in which reasons are given."""
    return read_rules(THRESHOLDS.read_text(encoding="utf-8"))


def read_rules(text: str) -> tuple[BadgeRule, ...]:
    """Return the rules that a TOML text holds."""
    return tuple(
        BadgeRule(
            measure=table["measure"],
            bad=Side(table["bad"]),
            caution=table["caution"],
            poor=table.get("poor"),
            words=table["words"],
            needs=table.get("needs"),
            basis=table["basis"],
        )
        for table in tomllib.loads(text)["rule"]
    )


def caution_limit(measure: str) -> float:
    """Return from where on a measure asks for caution.

    Raises:
        KeyError: No rule is about it.
    """
    return {rule.measure: rule.caution for rule in rules()}[measure]


def badge(
    measures: Mapping[str, Any], by: Sequence[BadgeRule] | None = None
) -> tuple[Badge, list[str]]:
    """Return the badge of a map and the reasons for it, the worst badge that a rule gives.

    A measure that is absent or None was not taken and counts for nothing.

    Args:
        measures: As `xai_core.measures.assess.assess` returns them, of any version.
        by: The rules; None are those of `thresholds.toml`.
    """
    found = [
        (rule.badge(value), rule.words.format(value=value))
        for rule in (rules() if by is None else by)
        if (value := rule.value(measures)) is not None
    ]
    against = [(given, words) for given, words in found if given is not Badge.GOOD]
    worst = max((given for given, _ in against), key=list(Badge).index, default=Badge.GOOD)
    return worst, [words for _, words in against]


def measure_of(measures: Mapping[str, Any], name: str) -> float | None:
    """Return a measure by its name, or None where it was not taken."""
    value: Any = measures
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return None if value is None else float(value)
