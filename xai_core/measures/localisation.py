"""Whether a map lies where the finding does: measures against a reference mask."""

from dataclasses import dataclass

import numpy as np
from skimage.morphology import isotropic_dilation

from xai_core.errors import MapError
from xai_core.heat import Heat, Mask, finite, share


@dataclass(frozen=True)
class MaskShare:
    """How well a map meets a reference mask.

    Attributes:
        inside: Share of the positive weight inside the mask (energy-based pointing game;
            Wang et al., Score-CAM, CVPRW 2020, arXiv:1910.01279).
        area: The mask's share of the image: what an even map reaches for `inside`.
        hit: Whether the highest value lies in the mask, within the tolerance (pointing game;
            Zhang et al., ECCV 2016, arXiv:1608.00507).
        chance_hit: What a map that peaks anywhere reaches for `hit`, as a rate.
        iou: Intersection over union of the mask and as many pixels, the map's highest.
        chance_iou: What unrelated maps reach for `iou`.
    """

    inside: float
    area: float
    hit: bool
    chance_hit: float
    iou: float
    chance_iou: float


def mask_share(heat: Heat, mask: Mask, *, tolerance_px: int = 0) -> MaskShare:
    """Compare a map with a reference mask of the same shape.

    Args:
        heat: Signed map, (H, W); what speaks against the target counts as 0.
        mask: True where the finding is, (H, W).
        tolerance_px: How far the highest value may lie outside the mask and still be a hit.

    Raises:
        MapError: The shapes differ, the mask is empty, or the map holds NaN or infinity.
    """
    if mask.shape != heat.shape or not mask.any():
        raise MapError(
            f"mask is {mask.shape} with {int(mask.sum())} pixels set; "
            f"allowed: {heat.shape} with 1 or more"
        )
    positive = np.maximum(finite(heat), 0)
    near = isotropic_dilation(mask, tolerance_px)
    area, n_mask = float(mask.mean()), int(mask.sum())
    highest = np.argsort(-positive, axis=None, kind="stable")[:n_mask]
    n_both = int((mask.ravel()[highest] & (positive.ravel()[highest] > 0)).sum())
    return MaskShare(
        inside=share(positive, mask),
        area=area,
        hit=bool(positive.any() and near.ravel()[positive.argmax()]),
        chance_hit=float(near.mean()),
        iou=n_both / (2 * n_mask - n_both),
        chance_iou=area / (2 - area),
    )
