"""What a map and its companion say by themselves: no model, no PyTorch, no time to speak of."""

from typing import TYPE_CHECKING, Any

import numpy as np

from xai_core.heat import Heat, cell_means, map_health
from xai_core.measures.chance import shifted_agreement
from xai_core.measures.placement import concentration, frame_share, saturated_share
from xai_core.measures.similarity import agreement, can_compare, ssim

if TYPE_CHECKING:
    from xai_core.attribution import Attribution

N_CELLS = 20
"""Cells a side on which the frame is measured; pixel noise lies everywhere and hides a marker."""


def map_measures(attribution: "Attribution", other: "Attribution | None") -> dict[str, Any]:
    """Return a map's health, where its weight lies, and its agreement with another map, JSON-safe.

    What cannot be measured is None: of a map with NaN or without contrast nothing but that.

    Args:
        attribution: The map to measure.
        other: Another method's map of the same prediction.
    """
    heat = attribution.heat.numpy()
    health = map_health(heat)
    measures: dict[str, Any] = {
        "flat": health.is_flat,
        "nan": health.n_bad > 0,
        "relative_delta": None if health.n_bad else attribution.relative_delta,
        "no_span": attribution.convergence_delta is not None
        and not health.problem
        and attribution.relative_delta is None,
        "corner_share": 0.0,
        "border_share": 0.0,
        "top_cell": None,
        "top_pixel": None,
        "saturated_share": None,
        "agreement": None,
    }
    if health.problem:
        return measures
    frame = frame_share(np.maximum(cell_means(heat, min(N_CELLS, *heat.shape)), 0))
    spike = concentration(heat)
    return measures | {
        "corner_share": frame.corners,
        "border_share": frame.border,
        "top_cell": spike.top_cell,
        "top_pixel": spike.top_pixel,
        "saturated_share": saturated_share(heat),
        "agreement": None if other is None else _agreement(heat, other),
    }


def _agreement(heat: Heat, other: "Attribution") -> dict[str, Any] | None:
    """Compare two maps, or return None where one of them says nothing to compare."""
    others = other.heat.numpy()
    if map_health(others).problem:
        return None
    found = agreement(heat, others)
    if found.spearman is None:
        return None
    return {
        "with": other.method,
        "spearman": found.spearman,
        "top_k_iou": found.top_iou,
        "chance_top_k_iou": found.chance_top_iou,
        "sign": found.sign_agreement,
        "ssim": ssim(heat, others) if can_compare(heat, others) else None,
        "by_chance": shifted_agreement(heat, others),
    }
