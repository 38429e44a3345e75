"""How far any two maps of one prediction agree, and where they do not. Needs no PyTorch."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from db.errors import NotFoundError
from db.tables import Prediction
from db.types import AccessKind
from review.maps.drawn import DrawnMap, shown_explanation
from review.policy import Action, Actor, insist
from review.software import OWN_VERSION
from review.workspace import Workspace
from xai_core.heat import cell_of
from xai_core.measures.chance import shifted_agreement
from xai_core.measures.disagreement import disagreement_map
from xai_core.measures.similarity import agreement as cells_agreement
from xai_core.measures.similarity import can_compare, ssim


class Pair(NamedTuple):
    """Two maps that can be set against each other."""

    left: DrawnMap
    right: DrawnMap

    def __str__(self) -> str:
        """Name what is found of them: the measures are the software's."""
        return f"{self.left}-{self.right}-{OWN_VERSION}"


@dataclass(frozen=True)
class Agreement:
    """How far two maps say the same, on a grid of cells that they share.

    Attributes:
        numbers: `spearman`, `top_k_iou`, `sign` and `ssim`; what cannot be measured is None.
        by_chance: What the same maps reach for each when one is shifted over the other.
        size_px: Height and width of the left map.
        rows: The left map's row at which each row of cells begins.
        columns: Its column at which each column of cells begins.
        cells: How far the left map says more than the right one in each cell, [-1, 1].
    """

    numbers: dict[str, float | None]
    by_chance: dict[str, float | None]
    size_px: tuple[int, int]
    rows: list[int]
    columns: list[int]
    cells: list[list[float]]

    def to_json(self) -> dict[str, Any]:
        """Return it as the browser takes it."""
        height, width = self.size_px
        picture = {"height": height, "width": width, "rows": self.rows, "columns": self.columns}
        return self.numbers | {
            "by_chance": self.by_chance,
            "picture": picture | {"cells": self.cells},
        }


def pair(ws: Workspace, left_id: int, right_id: int, *, by: Actor) -> Pair:
    """Return two maps that can be compared.

    Raises:
        NotFoundError: If there is no such map, or they explain different predictions or classes.
        HeldError: If their case is held back.
    """
    with ws.read() as session:
        insist(session, by, Action.READ)
        left, right = (shown_explanation(session, each) for each in (left_id, right_id))
        case_id = session.get_one(Prediction, left.prediction_id).case_id
    if (left.prediction_id, left.target) != (right.prediction_id, right.target):
        raise NotFoundError(
            f"explanations {left_id} and {right_id} are not of one prediction and class"
        )
    shown = {"explanations": [left_id, right_id]}
    ws.trail.note(AccessKind.MAPS_COMPARED, by, case_id=case_id, **shown)
    return Pair(DrawnMap.of(left), DrawnMap.of(right))


def agreement(ws: Workspace, maps: Pair) -> Agreement:
    """Compare two maps as the stored measures do.

    Raises:
        MapError: If one of them is flat, or holds NaN or infinity.
        RecordError: If their values are missing or damaged.
    """
    left, right = (each.heat(ws.artifacts) for each in maps)
    picture = disagreement_map(left, right)
    found = cells_agreement(left, right)
    rows, columns = (
        np.searchsorted(cell_of(length, found.n_cells), np.arange(found.n_cells))
        for length in left.shape
    )
    return Agreement(
        numbers={
            "spearman": found.spearman,
            "top_k_iou": found.top_iou,
            "sign": found.sign_agreement,
            "ssim": ssim(left, right) if can_compare(left, right) else None,
        },
        by_chance=shifted_agreement(left, right),
        size_px=(left.shape[0], left.shape[1]),
        rows=rows.tolist(),
        columns=columns.tolist(),
        cells=picture[np.ix_(rows, columns)].tolist(),
    )
