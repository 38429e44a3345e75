"""The straight path from a baseline to an image, and the gradients along it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from xai_core.graph.copies import prepared_copy, require_same_scores
from xai_core.graph.tracing import pool_before_relu, split_affine_stem
from xai_core.runtime.chunks import one_image
from xai_core.runtime.run import Run
from xai_core.scoring import TargetScore, activation_bytes


@dataclass(frozen=True)
class Path:
    """Points b + alpha (x - b), passed from behind an affine stem of the model on.

    What the stem gives is affine in alpha: it is computed at the two ends only, points are taken
    between, and gradients are pulled back through it once they are added up.

    Attributes:
        stem: The affine layer; an identity where the model is passed whole.
        rest: The model behind the stem.
        scores: The T scores that are explained, all of one pass.
        ends: b and x, (2, C, H, W).
        end_classes: The model's own class scores for them, (2, K).
        stem_ends: What the stem gives for them, (2, ...).
    """

    stem: nn.Module
    rest: nn.Module
    scores: tuple[TargetScore, ...]
    ends: Tensor
    end_classes: Tensor
    stem_ends: Tensor

    @classmethod
    def between(cls, start: Tensor, end: Tensor, scores: Sequence[TargetScore]) -> "Path":
        """Lay a path from `start` to `end`, (1, C, H, W) each, through the model itself.

        The scores were checked on `end`.
        """
        ends, first = torch.cat([start, end]), scores[0]
        own = _end_classes(first, start)
        return cls(nn.Identity(), first.model, tuple(scores), ends, own, ends)

    @classmethod
    def prepared(cls, start: Tensor, end: Tensor, scores: Sequence[TargetScore]) -> "Path":
        """Lay a path through a prepared copy of the model, from behind its stem on.

        Raises:
            ModelError: The model cannot be prepared, or its copy gives other scores.
        """
        ends, first = torch.cat([start, end]), scores[0]
        stem, rest = split_affine_stem(prepared_copy(first.model, end))
        pool_before_relu(rest)
        with torch.no_grad(), one_image():
            stem_ends = stem(ends)
            copied = rest(stem_ends[1:])
        require_same_scores(first.clean_scores, copied)
        own = _end_classes(first, start)
        return cls(stem, rest, tuple(scores), ends, own, stem_ends)

    def at_once(self, n_points: int, run: Run, *, n_copies: int = 1) -> int:
        """Return how many of the points to pass at once, each `n_copies` times a plain pass."""

        def point_bytes() -> int:
            rest = replace(self.scores[0], model=self.rest)
            return n_copies * activation_bytes(rest, self.stem_ends[1:])

        return run.at_once(n_points, self.ends.device, point_bytes)

    def points(self, alphas: Tensor) -> Tensor:
        """Return what the stem gives at the points, (n, ...)."""
        start, end = self.stem_ends[:1], self.stem_ends[1:]
        return start + alphas.view(-1, *[1] * (start.dim() - 1)) * (end - start)

    def gradients(self, alphas: Tensor) -> tuple[Tensor, Tensor]:
        """Return the gradients of the scores behind the stem, (T, n, ...), and F, (T, n)."""
        points = self.points(alphas).requires_grad_()
        classes = self.rest(points.clone())
        return gradients_of([score.of(classes) for score in self.scores], points)

    def attributed(self, gradients: Tensor) -> Tensor:
        """Pull gradients behind the stem, (n, ...), back to dF/dx (x - b), (n, C, H, W)."""
        # The stem is affine: its gradient is the same wherever it is taken.
        image = torch.zeros_like(self.ends[:1]).repeat(len(gradients), 1, 1, 1).requires_grad_()
        (pulled,) = torch.autograd.grad(self.stem(image), image, gradients)
        return pulled * (self.ends[1:] - self.ends[:1])

    @property
    def end_scores(self) -> tuple[Tensor, Tensor]:
        """F at the start and at the end, by the model itself, (T,) each."""
        return self._of(self.end_classes[:1]), self._of(self.end_classes[1:])

    def _of(self, classes: Tensor) -> Tensor:
        return torch.cat([score.of(classes) for score in self.scores])


def _end_classes(score: TargetScore, start: Tensor) -> Tensor:
    """Return the class scores at `start` and on the image, (2, K)."""
    with torch.no_grad(), one_image():
        return torch.cat([score.model(start.clone()), score.clean_scores])


def gradients_of(scores: Sequence[Tensor], points: Tensor) -> tuple[Tensor, Tensor]:
    """Return the gradient of each of T scores, (n,), at its points, (T, n, ...), and F, (T, n)."""
    last = len(scores) - 1
    slopes = [
        torch.autograd.grad(score.sum(), points, retain_graph=number < last)[0]
        for number, score in enumerate(scores)
    ]
    return torch.stack(slopes), torch.stack([score.detach() for score in scores])
