"""Nodes and weights that integrate over [0, 1]."""

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from xai_core.errors import InputError


class Quadrature(StrEnum):
    """How the path from baseline to image is sampled."""

    GAUSS_LEGENDRE = "gausslegendre"
    MIDPOINT = "midpoint"
    TRAPEZOID = "trapezoid"
    SECANT = "chord"  # as it is recorded
    ADAPTIVE = "adaptive"


def nodes_and_weights(
    rule: Quadrature, n_steps: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return where a fixed rule samples, and how much each sample counts, both (n_steps,).

    `trapezoid` is the composite trapezoid rule on `n_steps` points, end points halved. (Captum's
    "riemann_trapezoid" divides by n_steps instead of n_steps - 1: its weights do not sum to 1.)

    Raises:
        InputError: `n_steps` is too small for the rule.
    """
    fewest = 2 if rule is Quadrature.TRAPEZOID else 1
    if not isinstance(n_steps, int) or n_steps < fewest:
        raise InputError(f"n_steps is {n_steps!r}; allowed for {rule}: {fewest} or more")
    if rule is Quadrature.GAUSS_LEGENDRE:
        nodes, weights = np.polynomial.legendre.leggauss(n_steps)
        return (nodes + 1) / 2, weights / 2
    if rule is Quadrature.MIDPOINT:
        return (np.arange(n_steps) + 0.5) / n_steps, np.full(n_steps, 1 / n_steps)
    weights = np.full(n_steps, 1 / (n_steps - 1))
    weights[[0, -1]] /= 2
    return np.linspace(0, 1, n_steps), weights
