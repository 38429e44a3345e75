"""A map's measures as short rows: what it reaches, beside what a map that knows nothing reaches.

Maps of earlier versions lack some of them: what was not measured has no row.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from review.words import METHOD_NAMES
from xai_core.glossary.entries import MEASURES
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
    found = {key: measure_of(trust, key) for key in _WORDS}
    return [
        {
            "group": _group(key, trust),
            "name": _name(key),
            "value": _WORDS[key](value),
            "chance": _chance(key, trust),
            "anchor": anchor_of(key),
        }
        for key, value in found.items()
        if value is not None
    ]


def _name(key: str) -> str:
    name = MEASURES[key].name.removeprefix("Agreement: ")
    return name[0].upper() + name[1:]


def _group(key: str, trust: Mapping[str, Any]) -> str:
    if not key.startswith("agreement."):
        return ""
    other = trust["agreement"]["with"]
    return f"Agreement with {METHOD_NAMES.get(other, other)}"


def _chance(key: str, trust: Mapping[str, Any]) -> str:
    """Return what chance reaches for this very map, where that is known, else in general."""
    known = measure_of(trust, _CHANCES[key]) if key in _CHANCES else None
    return _WORDS[key](known) if known is not None else _first_clause(MEASURES[key].chance)


def _first_clause(words: str) -> str:
    return re.split(r"[:,.;](?!\d)", words)[0]


def _share(value: float) -> str:
    return f"{value:.0%}".replace("%", " %") if value >= 0.1 else f"{value:.1%}".replace("%", " %")


def _score(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")


_WORDS: dict[str, Callable[[float], str]] = {
    "relative_delta": _share,
    "faithfulness.gap": _score,
    "infidelity.share": _share,
    "agreement.spearman": _score,
    "agreement.top_k_iou": _share,
    "agreement.sign": _share,
    "agreement.ssim": _score,
    "corner_share": _share,
    "border_share": _share,
    "top_cell": _share,
    "top_pixel": _share,
    "saturated_share": _share,
    "stability.similarity": _score,
    "stability.max_sensitivity": _score,
    "randomisation.remaining": _score,
}
_CHANCES = {
    "agreement.spearman": "agreement.by_chance.spearman",
    "agreement.top_k_iou": "agreement.by_chance.top_k_iou",
    "agreement.sign": "agreement.by_chance.sign",
    "agreement.ssim": "agreement.by_chance.ssim",
    "infidelity.share": "infidelity.even_share",
}
