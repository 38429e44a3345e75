"""A map's measures as short rows: what it reaches, beside what a map that knows nothing reaches.

Maps of earlier versions lack some of them: what was not measured has no row.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from review.words import METHOD_NAMES
from xai_core.glossary.entries import MEASURES, Measure, Written
from xai_core.glossary.text import anchor_of
from xai_core.measures.badges import measure_of

Row = dict[str, str]


def rows(trust: Mapping[str, Any]) -> list[Row]:
    """Return the rows of what was measured, in the order of the glossary.

    Each has `name`, `value`, `chance`, the `anchor` of its explanation on the Help page, and the
    `group` under which it stands, or "".

    Args:
        trust: As `xai_core.measures.assess.assess` returned it, of any version.
    """
    return [
        {
            "group": _group(key, trust),
            "name": _name(measure),
            "value": _WRITE[measure.written](value),
            "chance": _chance(measure, measure.written, trust),
            "anchor": anchor_of(key),
        }
        for key, measure in MEASURES.items()
        if measure.written is not None and (value := measure_of(trust, key)) is not None
    ]


def _name(measure: Measure) -> str:
    name = measure.name.removeprefix("Agreement: ")
    return name[0].upper() + name[1:]


def _group(key: str, trust: Mapping[str, Any]) -> str:
    if not key.startswith("agreement."):
        return ""
    other = trust["agreement"]["with"]
    return f"Agreement with {METHOD_NAMES.get(other, other)}"


def _chance(measure: Measure, written: Written, trust: Mapping[str, Any]) -> str:
    """Return what chance reaches for this very map, where that is known, else in general."""
    known = measure_of(trust, measure.own_chance) if measure.own_chance else None
    return _WRITE[written](known) if known is not None else _first_clause(measure.chance)


def _first_clause(words: str) -> str:
    return re.split(r"[:,.;](?!\d)", words)[0]


def _share(value: float) -> str:
    return f"{value:.0%}".replace("%", " %") if value >= 0.1 else f"{value:.1%}".replace("%", " %")


def _score(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")


_WRITE: dict[Written, Callable[[float], str]] = {Written.SHARE: _share, Written.SCORE: _score}
