"""What becomes of a map when the image changes by less than a reader would see."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from xai_core.attribution import Attribution
from xai_core.errors import InputError
from xai_core.measures.similarity import rank_similarity
from xai_core.runtime.chunks import chunks, in_parts
from xai_core.runtime.run import UNWATCHED, Run

ExplainAlike = Callable[[nn.Module, Tensor], Attribution]
"""Explains an image, (1, C, H, W), of a model as the map in question was made."""

UNRELATED_SENSITIVITY = 2**0.5
"""What maps of equal size that have nothing to do with each other reach."""


@dataclass(frozen=True)
class Stability:
    """How a map holds against noise.

    Attributes:
        similarity: Mean rank correlation, on cells, with the maps of the noisy images: 1 where
            they stay the same; unrelated maps reach 0.
        lowest: The lowest of these.
        max_sensitivity: Largest ||map(noisy) - map|| / ||map|| found (Yeh et al., NeurIPS 2019,
            arXiv:1901.09392, as in Captum): 0 where the map stays; unrelated maps reach 1.41.
        radius: Largest change of an input value.
        n_samples: Noisy images.
    """

    similarity: float
    lowest: float
    max_sensitivity: float
    radius: float
    n_samples: int

    def to_json(self) -> dict[str, Any]:
        """Return the numbers by their names."""
        return asdict(self)


def stability(
    explain: ExplainAlike,
    model: nn.Module,
    image: Tensor,
    attribution: Attribution,
    *,
    radius: float | None = None,
    n_samples: int = 4,
    seed: int = 0,
    run: Run = UNWATCHED,
) -> Stability:
    """Explain slightly noisy images, and compare their maps with a map.

    Args:
        explain: Makes a map as `attribution` was made.
        model: What is explained.
        image: (1, C, H, W), as the model takes it.
        attribution: The image's own map.
        radius: The noise is uniform in [-radius, radius], in units of the input; None is 2 % of
            the image's range.
        n_samples: Noisy images.
        seed: Of the noise.
        run: Progress counts maps made.

    Raises:
        InputError: `radius` is not positive, or `n_samples` below 1.
        Cancelled: The caller asked to stop.
        XaiError: What `explain` raises.
    """
    radius = 0.02 * float(image.max() - image.min()) if radius is None else radius
    if not radius > 0 or n_samples < 1:
        raise InputError(
            f"radius is {radius}, n_samples {n_samples}; allowed: more than 0, 1 or more"
        )
    generator = torch.Generator().manual_seed(seed)
    noises = radius * (2 * torch.rand(n_samples, *image.shape, generator=generator) - 1)
    own = attribution.values
    similarities, sensitivities = [], []
    parts = in_parts(
        chunks(n_samples, 1),
        lambda at: explain(model, image + noises[at.start].to(image)),
        run,
    )
    for _, noisy in parts:
        similarities.append(rank_similarity(noisy.heat.numpy(), attribution.heat.numpy()))
        sensitivities.append(relative_change(noisy.values, own))
    return Stability(
        similarity=sum(similarities) / n_samples,
        lowest=min(similarities),
        max_sensitivity=max(sensitivities),
        radius=radius,
        n_samples=n_samples,
    )


def relative_change(changed: Tensor, values: Tensor) -> float:
    """Return ||changed - values|| / ||values||, or ||changed|| where the values are all 0."""
    norm = float(values.norm())
    return float((changed - values).norm()) / (norm if norm > 0 else 1.0)
