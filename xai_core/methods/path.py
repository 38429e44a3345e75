"""The straight path from a baseline to an image, and what each point on it attributes."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from xai_core import device as devices
from xai_core.graph import UntraceableError, prepared, split_affine_stem
from xai_core.scoring import TargetScore, activation_bytes

_TOLERANCE = 1e-4  # of the score's size; a prepared model differs from its model by rounding only


@dataclass(frozen=True)
class Path:
    """Points b + alpha (x - b), passed from behind the model's affine stem on.

    What an affine stem gives is affine in alpha: it is computed at the two ends only, points are
    taken between, and gradients are pulled back through it once they are added up.

    Attributes:
        stem: The affine layer.
        score: F behind the stem.
        ends: b and x, (2, C, H, W).
        stem_ends: What the stem gives for them.
    """

    stem: nn.Module
    score: TargetScore
    ends: Tensor
    stem_ends: Tensor

    @classmethod
    def between(cls, start: Tensor, end: Tensor, score: TargetScore) -> "Path":
        """Prepare the path from `start` to `end`, (1, C, H, W) each, for a model's score."""
        ends = torch.cat([start, end])
        stem, rest = _split(score, end)
        with torch.no_grad():
            return cls(stem, rest, ends, stem(ends))

    def chunk_size(self, n_points: int) -> int:
        """Return how many of the points to pass at once, by the memory that one takes."""
        each = activation_bytes(self.score, self.stem_ends[1:])
        return devices.chunk_size(each, self.ends.device, limit=n_points)

    def attributed(self, alphas: Tensor, weights: Tensor) -> Tensor:
        """Return the weighted sum over the points of dF/dx (x - b), (C, H, W)."""
        return self._pulled_back(self._gradients(alphas, weights)[0].sum(0, keepdim=True))[0]

    def attributed_each(self, alphas: Tensor) -> tuple[Tensor, Tensor]:
        """Return dF/dx (x - b) at each point, (n, C, H, W), and the scores there, (n,)."""
        gradients, scores = self._gradients(alphas, torch.ones_like(alphas))
        return self._pulled_back(gradients), scores

    def _gradients(self, alphas: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        start, end = self.stem_ends
        points = (start + alphas.view(-1, 1, 1, 1) * (end - start)).requires_grad_()
        scores = self.score(points)
        # Weighted scores give weighted gradients in one pass.
        (gradients,) = torch.autograd.grad(scores, points, weights)
        return gradients, scores.detach()

    def _pulled_back(self, gradients: Tensor) -> Tensor:
        # The stem is affine: its gradient is the same wherever it is taken.
        image = torch.zeros_like(self.ends[:1]).repeat(len(gradients), 1, 1, 1).requires_grad_()
        (pulled,) = torch.autograd.grad(self.stem(image), image, gradients)
        return pulled * (self.ends[1:] - self.ends[:1])


def _split(score: TargetScore, image: Tensor) -> tuple[nn.Module, TargetScore]:
    """Return stem and rest of the model, or an identity and the model where that fails."""
    whole = nn.Identity(), score
    try:
        traced = prepared(score.model)
    except UntraceableError:
        return whole
    stem, rest = split_affine_stem(traced)
    with torch.no_grad():
        own, theirs = score.model(image.clone()), rest(stem(image.clone()))
    differs = (own - theirs).abs().max() > _TOLERANCE * own.abs().max()
    return whole if differs else (stem, TargetScore(rest, score.target))
