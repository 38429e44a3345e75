"""KernelSHAP's regression: from the scores of coalitions of regions to Shapley values.

A coalition is drawn together with its complement (Covert & Lee, AISTATS 2021, arXiv:2012.01536).
The difference of their scores is (2z - 1) . phi for an additive score, whatever it is of nothing;
all interactions of an even number of regions drop out of it.
"""

import math
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from xai_core.errors import InputError

_Array = NDArray[np.float64]


@dataclass(frozen=True)
class Coalitions:
    """Coalitions, each with its complement.

    Attributes:
        present: True where a region is in the first of a pair, (m, n).
        weights: How much each pair counts, (m,), summing to 1.
        is_complete: There are no other coalitions.
    """

    present: NDArray[np.bool_]
    weights: _Array
    is_complete: bool

    @classmethod
    def of(cls, n_regions: int, *, n_samples: int, seed: int) -> "Coalitions":
        """Take all coalitions where `n_samples` allows, else draw them by Shapley's kernel.

        Raises:
            InputError: There is one region only, or fewer samples than two for each.
        """
        if n_regions < 2:
            raise InputError("segments holds 1 region; allowed: 2 or more")
        fewest = min(2 * n_regions, 2**n_regions - 2)
        if not isinstance(n_samples, int) or n_samples < fewest:
            raise InputError(
                f"n_samples is {n_samples!r}; allowed for {n_regions} regions: {fewest} or more"
            )
        if n_samples >= 2**n_regions - 2:
            return cls._all(n_regions)
        return cls._drawn(n_regions, n_samples // 2, torch.Generator().manual_seed(seed))

    @classmethod
    def _all(cls, n: int) -> "Coalitions":
        rest = np.array(list(product([False, True], repeat=n - 1))[:-1], dtype=bool)
        present = np.column_stack([np.ones(len(rest), dtype=bool), rest.reshape(len(rest), n - 1)])
        by_size = np.array([1 / (math.comb(n, k) * k * (n - k)) for k in range(1, n)])
        weights = by_size[present.sum(1) - 1]
        return cls(present, weights / weights.sum(), is_complete=True)

    @classmethod
    def _drawn(cls, n: int, n_pairs: int, generator: torch.Generator) -> "Coalitions":
        sizes = torch.arange(1, n, dtype=torch.float64)
        chances = 1 / (sizes * (n - sizes))
        drawn = 1 + chances.multinomial(n_pairs, replacement=True, generator=generator)
        order = torch.rand(n_pairs, n, generator=generator, dtype=torch.float64).argsort(1)
        present = order.argsort(1) < drawn[:, None]
        return cls(present.numpy(), np.full(n_pairs, 1 / n_pairs), is_complete=False)

    @property
    def members(self) -> NDArray[np.bool_]:
        """All coalitions, the pairs' first ones and then their complements, (2m, n)."""
        return np.concatenate([self.present, ~self.present])


@dataclass(frozen=True)
class ShapleyFit:
    """Values of regions, and how sure they are.

    Attributes:
        values: (n,), summing to F(image) - F(baseline).
        standard_errors: Of the values, by the drawing of coalitions, (n,); 0 where all were taken.
        r_squared: Share of the coalitions' variance that the values' sums explain; None where the
            score is the same for all coalitions.
    """

    values: _Array
    standard_errors: _Array
    r_squared: float | None


def fit(coalitions: Coalitions, scores: _Array, *, empty: float, full: float) -> ShapleyFit:
    """Solve the least squares of Lundberg & Lee, arXiv:1705.07874, theorem 2.

    Args:
        coalitions: m pairs of n regions.
        scores: F of `coalitions.members`, (2m,).
        empty: F(baseline).
        full: F(image).

    Raises:
        InputError: The coalitions do not tell all regions apart.
    """
    n_pairs, n = coalitions.present.shape
    # The constraint takes the last value out: phi_n = total - (phi_1 + ... + phi_n-1).
    signs = 2.0 * coalitions.present - 1
    design = signs[:, :-1] - signs[:, -1:]
    total = full - empty
    rises = scores[:n_pairs] - scores[n_pairs:] - signs[:, -1] * total
    normal = design.T @ (coalitions.weights[:, None] * design)
    if np.linalg.matrix_rank(normal) < n - 1:
        raise InputError(f"n_samples is {2 * n_pairs}, too few to tell {n} regions apart")
    free = np.linalg.solve(normal, design.T @ (coalitions.weights * rises))
    values = np.append(free, total - free.sum())
    errors = np.zeros(n)
    if not coalitions.is_complete:
        misses = coalitions.weights * (rises - design @ free)
        errors = _standard_errors(np.linalg.solve(normal, design.T), misses)
    explained = coalitions.members @ values
    return ShapleyFit(values, errors, _r_squared(coalitions, scores - empty, explained))


def _standard_errors(solver: NDArray[np.floating[Any]], misses: _Array) -> _Array:
    """Return each value's error by the sandwich estimator, the pairs being drawn independently."""
    n_free, n_pairs = solver.shape
    of_free = solver * misses
    of_all = np.vstack([of_free, -of_free.sum(0)])
    errors: _Array = np.sqrt((of_all**2).sum(1) * n_pairs / (n_pairs - n_free))
    return errors


def _r_squared(coalitions: Coalitions, rises: _Array, explained: _Array) -> float | None:
    weights = np.tile(coalitions.weights, 2) / 2
    spread = float(weights @ (rises - weights @ rises) ** 2)
    return 1 - float(weights @ (rises - explained) ** 2) / spread if spread > 0 else None
