"""How a case is drawn and what of it a model is given, each said once.

A model's card may state its grey range; else the model is given what the reader first sees.
"""

from collections.abc import Mapping
from typing import Any

from imaging.image import RangeFrom, Shading, Window


def shading_of(case: Any) -> Shading:
    """Return the curve and padding of a case; cases of earlier versions have none."""
    return Shading.of(case.acquisition)


def pixel_aspect_of(case: Any) -> float:
    """Return the height of a case's pixels over their width."""
    return float(case.acquisition.get("pixel_aspect", 1.0))


def drawn(case: Any) -> dict[str, object]:
    """Return what a case's pixels need beside their window to be drawn as they are, JSON-safe."""
    return shading_of(case).to_json() | {"pixel_aspect": pixel_aspect_of(case)}


def window_on_screen(case: Any, card: Mapping[str, Any] | None) -> Window:
    """Return the first display window, (low, high) in pixel values, beside a model's answer.

    Where nobody has said what is black and white, the card's word goes before the container's.

    Args:
        case: Its row, or one with its columns.
        card: The model's, as JSON; None where no model has answered yet.
    """
    if card is not None and case.acquisition.get("range_from") == RangeFrom.CONTAINER:
        return given_to_model(case, card)[0]
    return case.window_low, case.window_high


def given_to_model(case: Any, card: Mapping[str, Any]) -> tuple[Window, Shading]:
    """Return the window, in pixel values, and the shading that a model is given an image in."""
    stated = (card.get("preprocessing") or {}).get("grey_range")
    is_deep_grey = case.n_channels == 1 and case.bits > 8
    if stated is None or not is_deep_grey or case.acquisition.get("range_from") == RangeFrom.TABLE:
        return (case.window_low, case.window_high), shading_of(case)
    edges = ((edge - case.rescale_intercept) / case.rescale_slope for edge in stated)
    low, high = sorted(edges)
    return (low, high), Shading(padding=shading_of(case).padding)


def told_of_model(case: Any, card: Mapping[str, Any] | None) -> list[str]:
    """Return in words what the model was given, where that is not what the reader first sees."""
    if card is None or given_to_model(case, card) == (
        window_on_screen(case, card),
        shading_of(case),
    ):
        return []
    black, white = card["preprocessing"]["grey_range"]
    return [f"the model was given {black:g} as black and {white:g} as white, by its card"]
