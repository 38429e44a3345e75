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

from xai_core.errors import InputError
from xai_core.methods.gradient.path import Path
from xai_core.runtime.chunks import chunks, in_parts
from xai_core.runtime.run import Run

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
        total: Its trapezoid sum for each of T scores, (T, C, H, W).
        rise: How far the scores rise over it, (T,).
        change: How far the last refinement moved the sums (L2 norm), (T,), infinite before the
            first.
        n_steps: Steps that the sums are made of.
    """

    start: float
    width: float
    total: Tensor
    rise: Tensor
    change: Tensor
    n_steps: int = 1

    @property
    def miss(self) -> Tensor:
        """How far the sums are from completeness, (T,)."""
        return (self.total.sum((1, 2, 3)) - self.rise).abs()

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
        self.change = _sizes(move)
        self.n_steps *= 2


@dataclass(frozen=True)
class Refined:
    """What the refinement came to.

    Attributes:
        values: The integral, (T, C, H, W).
        n_points: Points passed.
        change: How far the last refinements moved the maps, relative to them (L2), (T,).
        has_converged: Whether completeness and change came under the tolerance, for all scores.
    """

    values: Tensor
    n_points: int
    change: list[float]
    has_converged: bool


def integrate_adaptively(
    path: Path,
    *,
    tolerance: float,
    budget: int,
    at_once: int,
    run: Run,
) -> Refined:
    """Refine a path's integral until it holds still or the budget is spent.

    Args:
        path: The path.
        tolerance: Of the convergence delta, relative to the score's rise over the path, and of the
            map's change, relative to the map.
        budget: Most points to pass.
        at_once: Points to pass at once.
        run: Progress counts points passed of the budget.

    Raises:
        InputError: The budget or the tolerance is too small.
        Cancelled: The caller asked to stop.
    """
    if budget < FEWEST_POINTS:
        raise InputError(f"n_steps is {budget}; allowed for adaptive: {FEWEST_POINTS} or more")
    if not 0 < tolerance < 1:
        raise InputError(f"tolerance is {tolerance}; allowed: between 0 and 1")
    walk = _Walk(path, budget, at_once, run)
    panels = _coarse(walk)
    while chosen := _affordable(_unsettled(panels, tolerance), budget - walk.n_points):
        sums, _ = walk.attributed([panel.midpoints for panel in chosen])
        for panel, at_midpoints in zip(chosen, sums, strict=True):
            panel.refine(at_midpoints)
    total = _total(panels)
    change = torch.stack([panel.change for panel in panels]).norm(dim=0)
    relative = change / _sizes(total).clamp_min(_TINY)
    return Refined(total, walk.n_points, relative.tolist(), not _unsettled(panels, tolerance))


@dataclass
class _Walk:
    """Passes points of a path and counts them."""

    path: Path
    budget: int
    at_once: int
    run: Run
    n_points: int = 0

    def attributed(self, groups: list[list[float]]) -> tuple[Tensor, Tensor]:
        """Return each group's summed attributions, (n_groups, T, C, H, W), and F, (T, n)."""
        alphas = self.path.ends.new_tensor([alpha for group in groups for alpha in group])
        owners = [number for number, group in enumerate(groups) for _ in group]
        owner = torch.tensor(owners, device=alphas.device)
        parts = in_parts(
            chunks(len(alphas), self.at_once),
            lambda chunk: self.path.gradients(alphas[chunk.start : chunk.stop]),
            self.run.after(self.n_points, self.budget),
        )
        shape = self.path.stem_ends.shape[1:]
        sums = alphas.new_zeros((len(self.path.scores), len(groups), *shape))
        scores = []
        for chunk, (gradients, at_points) in parts:
            sums.index_add_(1, owner[chunk.start : chunk.stop], gradients)
            scores.append(at_points)
        self.n_points += len(alphas)
        maps = torch.stack([self.path.attributed(each) for each in sums], dim=1)
        return maps, torch.cat(scores, dim=1)


def _coarse(walk: _Walk) -> list[Panel]:
    """Return the panels with one step each."""
    ends = [number / _N_PANELS for number in range(_N_PANELS + 1)]
    maps, scores = walk.attributed([[end] for end in ends])
    width, rises = 1 / _N_PANELS, scores.diff(dim=1)
    unknown = torch.full_like(rises[:, 0], math.inf)
    return [
        Panel(ends[i], width, width / 2 * (maps[i] + maps[i + 1]), rises[:, i], unknown)
        for i in range(_N_PANELS)
    ]


def _unsettled(panels: list[Panel], tolerance: float) -> list[Panel]:
    """Return the panels that miss, or still move by, more than their share; the worst first."""
    rise = torch.stack([panel.rise for panel in panels]).sum(0).abs().clamp_min(_TINY)
    size = _sizes(_total(panels)).clamp_min(_TINY)

    def excess(panel: Panel) -> float:
        # Misses may add up; changes of different stretches are independent.
        miss = panel.miss / rise * len(panels)
        change = panel.change / size * math.sqrt(len(panels))
        return float(torch.maximum(miss, change).max()) / tolerance

    excesses = {id(panel): excess(panel) for panel in panels}
    unsettled = [panel for panel in panels if excesses[id(panel)] > 1]
    return sorted(unsettled, key=lambda panel: excesses[id(panel)], reverse=True)


def _total(panels: list[Panel]) -> Tensor:
    return torch.stack([panel.total for panel in panels]).sum(0)


def _sizes(maps: Tensor) -> Tensor:
    """Return the L2 norms of maps (T, C, H, W), (T,)."""
    return maps.square().sum((1, 2, 3)).sqrt()


def _affordable(panels: list[Panel], n_left: int) -> list[Panel]:
    """Return the first panels whose midpoints the rest of the budget pays for."""
    chosen = []
    for panel in panels:
        if panel.n_steps <= n_left:
            chosen.append(panel)
            n_left -= panel.n_steps
    return chosen
