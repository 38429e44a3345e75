"""How an image was taken, as screens, exports and what is signed say it."""

from typing import Any

from imaging.value_sets import standard_value


def acquired(case: Any) -> dict[str, str | None]:
    """Return modality, view and side, in the standard's own words.

    Cases stored by earlier versions may hold a name where a code should be: it is left out.

    Args:
        case: Its row, or one with the columns that this needs.
    """
    return {
        "modality": standard_value("Modality", case.modality),
        "view_position": standard_value("ViewPosition", case.view_position),
        "laterality": standard_value("Laterality", case.acquisition.get("laterality")),
    }
