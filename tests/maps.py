"""Maps made by hand."""

import numpy as np
import torch
from numpy.typing import NDArray

from xai_core.attribution import Attribution


def attribution(
    heat: NDArray[np.floating],
    *,
    method: str = "integrated_gradients",
    target: int = 1,
    delta: float | None = None,
    span: float = 1.0,
) -> Attribution:
    """Return a map, (H, W), as a method would; with a delta, one that promises a sum."""
    return Attribution(
        values=torch.from_numpy(heat)[None],
        target=target,
        method=method,
        params={"output": "logit"},
        seconds=0.1,
        device="cpu",
        score=span,
        baseline_score=None if delta is None else 0.0,
        convergence_delta=delta,
    )
