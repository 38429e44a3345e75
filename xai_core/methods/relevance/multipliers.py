"""DeepLIFT's multipliers: functions that autograd takes for straight lines between two inputs.

Each takes what it acts on twice: x on the image's run, and x0 on the baseline's. It gives its value
on the image, and backwards the slopes m with m (x - x0) = f(x) - f(x0), exactly.
"""

from collections.abc import Callable

import torch
from torch import Tensor

_NO_STEP = 1e-10  # below it a quotient of differences is noise, and the slope stands for it

_ROUNDING = 1e-5  # of a map's largest value: closer ones are taken for equal
_SHORTEST = 1e-12  # the length that PyTorch takes for a shorter vector's

Pointwise = Callable[[Tensor], Tensor]


def moved(x: Tensor) -> Tensor:
    """Return zeros that autograd takes for x."""
    return x - x.detach()


def rescaled(f: Pointwise, x: Tensor, x0: Tensor) -> Tensor:
    """Return f(x) of a pointwise function (rescale rule, Shrikumar et al. 2017, section 3.5.1)."""
    point = x.detach().requires_grad_()
    y = f(point)
    (slope,) = torch.autograd.grad(y.sum(), point)
    step = point.detach() - x0
    y = y.detach()
    secant = torch.where(step.abs() < _NO_STEP, slope, (y - f(x0)) / step)
    return y + secant * moved(x)


def product(
    times: Callable[[Tensor, Tensor], Tensor], a: Tensor, a0: Tensor, b: Tensor, b0: Tensor
) -> Tensor:
    """Return times(a, b) of a function linear in both, each with the other's mean as its slope.

    That is what Shapley's value gives to two factors.
    """
    value = times(a.detach(), b.detach())
    mean_a, mean_b = (a.detach() + a0) / 2, (b.detach() + b0) / 2
    return value + times(moved(a), mean_b) + times(mean_a, moved(b))


def softmax(x: Tensor, x0: Tensor, dim: int) -> Tensor:
    """Give the softmax as a product of exponentials and of one over their sum."""
    # The same shift for both keeps the exponentials finite and changes neither softmax.
    shift = torch.maximum(x.detach(), x0).amax(dim, keepdim=True)
    powers, powers0 = rescaled(torch.exp, x - shift, x0 - shift), torch.exp(x0 - shift)
    total, total0 = powers.sum(dim, keepdim=True), powers0.sum(dim, keepdim=True)
    share, share0 = rescaled(torch.reciprocal, total, total0), total0.reciprocal()
    return product(torch.mul, powers, powers0, share, share0)


def log_sum_exp(x: Tensor, x0: Tensor, dim: int) -> Tensor:
    """Give the logarithm of the sum of exponentials."""
    shift = torch.maximum(x.detach(), x0).amax(dim, keepdim=True)
    powers, powers0 = rescaled(torch.exp, x - shift, x0 - shift), torch.exp(x0 - shift)
    logs = rescaled(torch.log, powers.sum(dim), powers0.sum(dim))
    return logs + shift.squeeze(dim)


def normalised(x: Tensor, x0: Tensor, n_dims: int, eps: float) -> Tensor:
    """Return a layer norm over the last dimensions, without its weights."""
    dims = tuple(range(-n_dims, 0))
    centred, centred0 = (values - values.mean(dims, keepdim=True) for values in (x, x0))
    variance = rescaled(torch.square, centred, centred0).mean(dims, keepdim=True)
    variance0 = centred0.square().mean(dims, keepdim=True)
    scale = rescaled(torch.rsqrt, variance + eps, variance0 + eps)
    return product(torch.mul, centred, centred0, scale, (variance0 + eps).rsqrt())


def direction(x: Tensor, x0: Tensor, dim: int) -> Tensor:
    """Return x over its length along one dimension, as `torch.nn.functional.normalize` does."""

    def inverse(square: Tensor) -> Tensor:
        return square.clamp_min(_SHORTEST**2).rsqrt()

    squares = rescaled(torch.square, x, x0).sum(dim, keepdim=True)
    squares0 = x0.square().sum(dim, keepdim=True)
    scale, scale0 = rescaled(inverse, squares, squares0), inverse(squares0)
    # From a vector without a direction, or to one, the way is straight.
    is_straight = torch.minimum(squares.detach(), squares0) <= _SHORTEST**2
    alone = inverse(torch.maximum(squares.detach(), squares0))
    scale, scale0 = scale.where(~is_straight, alone), scale0.where(~is_straight, alone)
    return product(torch.mul, x, x0, scale, scale0)


def max_pooled(pool: Callable[[Tensor], tuple[Tensor, Tensor]], x: Tensor, x0: Tensor) -> Tensor:
    """Return a max pooling over (H, W).

    As in Captum, its rise counts in two steps, from the baseline's maximum to the larger of the
    two and from there to the image's; the first goes to where the image has its maximum, the
    second to where the baseline has. A uniform baseline has it in many places that differ by
    rounding alone: of these it is where the image is largest, so that no rounding decides.

    Args:
        pool: Returns the maxima and where they lie in the flattened plane.
        x: (N, C, H, W) on the image's run.
        x0: The same on the baseline's.
    """
    y, at = pool(x.detach())
    y0, at0 = pool(x0)
    step = x.detach() - x0
    tied0 = _where_largest(pool, x0, then=x.detach())
    # Within rounding the step there is the maximum's own; else the quotient below would be large.
    at0 = tied0.where(_taken(step, tied0).abs() >= (y - y0).abs() / 2, at0)
    larger = torch.maximum(y, y0)
    still = step.abs() < _NO_STEP
    shares = moved(x) / step.masked_fill(still, torch.inf)
    first, second = _taken(shares, at), _taken(shares, at0)
    return y + (larger - y0) * first + (y - larger) * second + _taken(moved(x) * still, at)


def _taken(values: Tensor, at: Tensor) -> Tensor:
    """Return the values at places of the flattened plane, in the shape of `at`."""
    return values.flatten(-2).gather(-1, at.flatten(-2)).view_as(at)


def _where_largest(
    pool: Callable[[Tensor], tuple[Tensor, Tensor]], x: Tensor, *, then: Tensor
) -> Tensor:
    """Return where x is largest up to rounding, and of several places where `then` is."""
    level = _ROUNDING * x.abs().max() + torch.finfo(x.dtype).tiny
    spread = 1 + then.max() - then.min()
    return pool((x / level).round().double() * spread.double() + then.double())[1]
