"""How far a map can be trusted, in the form that is stored with it and shown beside it."""

import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from xai_core import trust

if TYPE_CHECKING:
    from xai_core.attribution import Attribution

Measures = dict[str, float | None]


class Badge(StrEnum):
    """What a reader should make of a map at a glance, the best first."""

    GOOD = "good"
    CAUTION = "caution"
    POOR = "poor"


@dataclass(frozen=True)
class Rule:
    """A measure, the values at which it counts against a map, and what is then said.

    Attributes:
        measure: Name of the measure.
        caution: From here on the map is to be read with caution.
        poor: From here on it should not be relied on; None where the measure alone cannot say so.
        words: A sentence; `{value}` is the measure.
        reached: Compares measure and limit.
    """

    measure: str
    caution: float
    poor: float | None
    words: str
    reached: Callable[[float, float], bool] = operator.ge

    def badge(self, value: float) -> Badge:
        """Return what this measure alone makes of the map."""
        if self.poor is not None and self.reached(value, self.poor):
            return Badge.POOR
        return Badge.CAUTION if self.reached(value, self.caution) else Badge.GOOD


N_CELLS = 20  # a side; single pixels are noise, which lies everywhere and hides a marker
# Of these cells, corners hold 16 % and the border 36 %: twice that cannot be an even map.
HIGH_CORNER_SHARE = 0.33
HIGH_BORDER_SHARE = 0.7

RULES = (
    Rule(
        "relative_delta",
        0.05,
        0.2,
        "The map's sum misses the change of score that it explains by {value:.0%}: "
        "take more steps or another baseline.",
    ),
    Rule(
        "spearman",
        0.0,
        -0.3,
        "The two maps agree no better than unrelated ones: their rank correlation is {value:.2f}.",
        operator.lt,
    ),
    Rule(
        "corner_share",
        HIGH_CORNER_SHARE,
        None,
        "{value:.0%} of what speaks for the class lies in the corners.",
    ),
    Rule(
        "border_share",
        HIGH_BORDER_SHARE,
        None,
        "{value:.0%} of what speaks for the class lies along the border.",
    ),
)
NAN = "The map holds values that are not numbers and must not be read."
FLAT = "The map is flat: it singles out no region."
NO_SPAN = "The image scores as its baseline does, so the map's sum proves nothing."


def assess(map_: "Attribution", other: "Attribution") -> dict[str, Any]:
    """Return a map's trust measures, its badge and the reasons for it, JSON-safe.

    Args:
        map_: The map to assess.
        other: The other method's map of the same prediction.
    """
    health = trust.map_health(map_.heat.numpy())
    if health.problem:
        frame, agreement = None, None
    else:
        cells = trust.cell_means(map_.heat.numpy(), min(N_CELLS, *map_.heat.shape))
        frame = trust.frame_share(np.maximum(cells, 0))
        agreement = _agreement(map_, other)
    measures: Measures = {
        "relative_delta": map_.relative_delta if not health.n_bad else None,
        "spearman": agreement["spearman"] if agreement else None,
        "corner_share": frame.corners if frame else 0.0,
        "border_share": frame.border if frame else 0.0,
    }
    found = list(_findings(map_, health, measures))
    return {
        "flat": health.is_flat,
        "nan": health.n_bad > 0,
        "corner_share": measures["corner_share"],
        "border_share": measures["border_share"],
        "agreement": agreement,
        "relative_delta": measures["relative_delta"],
        "badge": max((badge for badge, _ in found), key=list(Badge).index, default=Badge.GOOD),
        "reasons": [words for _, words in found],
    }


def _agreement(map_: "Attribution", other: "Attribution") -> dict[str, Any] | None:
    """Compare two maps, or return None where one of them says nothing to compare."""
    if trust.map_health(other.heat.numpy()).problem:
        return None
    found = trust.agreement(map_.heat.numpy(), other.heat.numpy())
    if found.spearman is None:
        return None
    return {
        "with": other.method,
        "spearman": found.spearman,
        "top_k_iou": found.top_iou,
        "sign": found.sign_agreement,
    }


def _findings(
    map_: "Attribution", health: trust.MapHealth, measures: Measures
) -> Iterator[tuple[Badge, str]]:
    if health.n_bad:
        yield Badge.POOR, NAN
    elif health.is_flat:
        yield Badge.POOR, FLAT
    elif map_.convergence_delta is not None and measures["relative_delta"] is None:
        yield Badge.CAUTION, NO_SPAN
    for rule in RULES:
        value = measures[rule.measure]
        if value is not None and (badge := rule.badge(value)) is not Badge.GOOD:
            yield badge, rule.words.format(value=value)
