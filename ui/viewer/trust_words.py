"""A map's measures as sentences, each beside what a map that knows nothing reaches.

Maps of earlier versions lack some of them: what was not measured is not said.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from review.words import METHOD_NAMES

Measures = Mapping[str, Any]

# Of the cells on which these are measured; see `xai_core.measures.maps`.
EVEN_CORNERS = 0.16
EVEN_SPOT = 1 / 256


def in_words(trust: Measures) -> list[str]:
    """Return what was measured of a map, in the order in which it tells most."""
    parts = (_faithfulness, _infidelity, _agreement, _places, _stability, _randomisation)
    return [sentence for part in parts for sentence in part(trust)]


def _faithfulness(trust: Measures) -> Iterator[str]:
    if found := trust.get("faithfulness"):
        yield (
            f"Taking away first what it points at, {_number(found['deletion_auc'])} of the score "
            f"is left on average, in random order {_number(found['random_auc'])}; showing it "
            f"first, {_number(found['insertion_auc'])}. Gap {_number(found['gap'])}; "
            "an unrelated map: 0."
        )


def _infidelity(trust: Measures) -> Iterator[str]:
    if found := trust.get("infidelity"):
        yield (
            f"Misses {found['share']:.0%} of how the score falls when squares of the image are "
            f"taken away; an even map: {found['even_share']:.0%}."
        )


def _agreement(trust: Measures) -> Iterator[str]:
    if not (found := trust.get("agreement")):
        return
    other = METHOD_NAMES.get(found["with"], found["with"])
    if (correlation := found.get("spearman")) is not None:
        yield f"Rank correlation with {other}: {_number(correlation)}; unrelated maps: 0."
    if (chance := found.get("chance_top_k_iou")) is not None:
        yield (
            f"Its strongest tenth and that of {other} overlap by {found['top_k_iou']:.0%}; "
            f"unrelated maps: {chance:.0%}."
        )


def _places(trust: Measures) -> Iterator[str]:
    if (corners := trust.get("corner_share")) is not None:
        yield (
            f"{corners:.0%} of what speaks for the class lies in the corners; "
            f"in an even map {EVEN_CORNERS:.0%}."
        )
    if (spot := trust.get("top_cell")) is not None:
        yield f"The strongest spot holds {spot:.1%} of it; in an even map {EVEN_SPOT:.1%}."


def _stability(trust: Measures) -> Iterator[str]:
    if found := trust.get("stability"):
        yield (
            f"Under noise that nobody would see it keeps a rank correlation of "
            f"{_number(found['similarity'])} with itself; unrelated maps: 0."
        )


def _randomisation(trust: Measures) -> Iterator[str]:
    if found := trust.get("randomisation"):
        yield (
            f"With the model's weights shuffled its rank correlation with itself is "
            f"{_number(found['remaining'])}; a map of the model: near 0."
        )


def _number(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")
