"""The path integral refined where it needs it, until completeness and the map itself hold still.

The path is cut into panels. Each panel holds a composite trapezoid sum; halving its steps keeps
every point passed before (T' = T / 2 + h / 2 * sum over the new midpoints), so that memory grows
neither with points nor with refinements. What a panel's sum should be is known: the rise of the
score over it (completeness, Sundararajan et al. 2017). How far its map still moves is seen at each
refinement. A small convergence delta alone would not do: errors of pixels cancel in it.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from xai_core.chunks import IsCancelled, Progress, chunks, in_parts
from xai_core.errors import InputError
from xai_core.methods.path import Path

_N_PANELS = 8
_TINY = 1e-12
FEWEST_POINTS = 2 * _N_PANELS + 1
"""The panels' ends and one refinement of each."""


@dataclass
class Panel:
    """One stretch of the path.

    Attributes:
        start: Where it begins, in [0, 1].
        width: How long it is.
        total: Its trapezoid sum, (C, H, W).
        rise: How far the score rises over it.
        n_steps: Steps that the sum is made of.
        change: How far the last refinement moved the sum (L2 norm), infinite before the first.
    """

    start: float
    width: float
    total: Tensor
    rise: float
    n_steps: int = 1
    change: float = math.inf

    @property
    def miss(self) -> float:
        """How far the sum is from completeness."""
        return abs(float(self.total.sum()) - self.rise)

    @property
    def midpoints(self) -> list[float]:
        """The points that halve the steps."""
        return [
            self.start + (step + 0.5) * self.width / self.n_steps for step in range(self.n_steps)
        ]

    def refine(self, at_midpoints: Tensor) -> None:
        """Halve the steps, given what the midpoints attribute in sum."""
        move = (self.width / self.n_steps * at_midpoints - self.total) / 2
        self.total = self.total + move
        self.change = float(move.norm())
        self.n_steps *= 2


@dataclass(frozen=True)
class Refined:
    """What the refinement came to.

    Attributes:
        values: The integral, (C, H, W).
        n_points: Points passed.
        change: How far the last refinements moved the map, relative to it (L2).
        has_converged: Whether completeness and change came under the tolerance.
    """

    values: Tensor
    n_points: int
    change: float
    has_converged: bool


def refined(
    path: Path,
    *,
    tolerance: float,
    budget: int,
    chunk_size: int,
    progress: Progress | None = None,
    cancelled: IsCancelled | None = None,
) -> Refined:
    """Refine a path's integral until it holds still or the budget is spent.

    Args:
        path: The path.
        tolerance: Of the convergence delta, relative to the score's rise over the path, and of the
            map's change, relative to the map.
        budget: Most points to pass.
        chunk_size: Points to pass at once.
        progress: Called with points passed and the budget.
        cancelled: Asked between chunks.

    Raises:
        InputError: The budget or the tolerance is too small.
        Cancelled: The caller asked to stop.
    """
    if budget < FEWEST_POINTS:
        raise InputError(f"n_steps is {budget}; allowed for adaptive: {FEWEST_POINTS} or more")
    if not 0 < tolerance < 1:
        raise InputError(f"tolerance is {tolerance}; allowed: between 0 and 1")
    walk = _Walk(path, budget, chunk_size, progress, cancelled)
    panels = _coarse(walk)
    while chosen := _affordable(_unsettled(panels, tolerance), budget - walk.n_points):
        sums, _ = walk.attributed([panel.midpoints for panel in chosen])
        for panel, at_midpoints in zip(chosen, sums, strict=True):
            panel.refine(at_midpoints)
    total = torch.stack([panel.total for panel in panels]).sum(0)
    change = math.hypot(*(panel.change for panel in panels)) / max(float(total.norm()), _TINY)
    return Refined(total, walk.n_points, change, not _unsettled(panels, tolerance))


@dataclass
class _Walk:
    """Passes points of a path and counts them."""

    path: Path
    budget: int
    chunk_size: int
    progress: Progress | None
    cancelled: IsCancelled | None
    n_points: int = 0

    def attributed(self, groups: list[list[float]]) -> tuple[Tensor, list[float]]:
        """Return each group's summed attribution, (n_groups, C, H, W), and all points' scores."""
        image = self.path.ends[0]
        alphas = image.new_tensor([alpha for group in groups for alpha in group])
        owners = [number for number, group in enumerate(groups) for _ in group]
        owner = torch.tensor(owners, device=image.device)
        sums, scores = image.new_zeros((len(groups), *image.shape)), []
        parts = in_parts(
            chunks(len(alphas), self.chunk_size),
            lambda chunk: self.path.attributed_each(alphas[chunk.start : chunk.stop]),
            progress=self._report,
            cancelled=self.cancelled,
        )
        for chunk, (maps, at_points) in parts:
            sums.index_add_(0, owner[chunk.start : chunk.stop], maps)
            scores += at_points.tolist()
        self.n_points += len(alphas)
        return sums, scores

    def _report(self, done: int, _: int) -> None:
        if self.progress is not None:
            self.progress(self.n_points + done, self.budget)


def _coarse(walk: _Walk) -> list[Panel]:
    """Return the panels with one step each."""
    ends = [number / _N_PANELS for number in range(_N_PANELS + 1)]
    maps, scores = walk.attributed([[end] for end in ends])
    width = 1 / _N_PANELS
    return [
        Panel(ends[i], width, width / 2 * (maps[i] + maps[i + 1]), scores[i + 1] - scores[i])
        for i in range(_N_PANELS)
    ]


def _unsettled(panels: list[Panel], tolerance: float) -> list[Panel]:
    """Return the panels that miss, or still move by, more than their share; the worst first."""
    rise = max(abs(sum(panel.rise for panel in panels)), _TINY)
    size = max(float(torch.stack([panel.total for panel in panels]).sum(0).norm()), _TINY)

    def excess(panel: Panel) -> float:
        # Misses may add up; changes of different stretches are independent.
        miss = panel.miss / rise * len(panels)
        return max(miss, panel.change / size * math.sqrt(len(panels))) / tolerance

    return sorted((p for p in panels if excess(p) > 1), key=excess, reverse=True)


def _affordable(panels: list[Panel], n_left: int) -> list[Panel]:
    """Return the first panels whose midpoints the rest of the budget pays for."""
    chosen = []
    for panel in panels:
        if panel.n_steps <= n_left:
            chosen.append(panel)
            n_left -= panel.n_steps
    return chosen
