"""The straight path from a baseline to an image, and what each point on it attributes."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from xai_core import device as devices
from xai_core.chunks import one_image
from xai_core.errors import ModelError
from xai_core.graph import prepared, split_affine_stem
from xai_core.scoring import TargetScore, activation_bytes

_TOLERANCE = 1e-4  # of the score's size; a prepared model differs from its model by rounding only


@dataclass(frozen=True)
class Path:
    """Points b + alpha (x - b), passed from behind an affine stem of the model on.

    What the stem gives is affine in alpha: it is computed at the two ends only, points are taken
    between, and gradients are pulled back through it once they are added up.

    Attributes:
        stem: The affine layer; an identity where the model is passed whole.
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
        """Lay a path from `start` to `end`, (1, C, H, W) each, through the model itself."""
        ends = torch.cat([start, end])
        return cls(nn.Identity(), score, ends, ends)

    @classmethod
    def prepared(cls, start: Tensor, end: Tensor, score: TargetScore) -> "Path":
        """Lay a path through a prepared copy of the model, from behind its stem on.

        Raises:
            ModelError: The model cannot be prepared, or its copy gives other scores.
        """
        ends = torch.cat([start, end])
        stem, rest = split_affine_stem(prepared(score.model))
        with torch.no_grad(), one_image():
            own, copied = score.model(end.clone()), rest(stem(end.clone()))
            miss = float((own - copied).abs().max())
            if not miss <= (allowed := _TOLERANCE * float(own.abs().max())):
                raise ModelError(f"a copy's scores miss by {miss:.3g}; allowed: {allowed:.3g}")
            return cls(stem, replace(score, model=rest), ends, stem(ends))

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
