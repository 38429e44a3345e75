"""How a layer hands relevance back to what entered it (LRP; Bach et al., PLoS ONE 2015).

Each function returns the layer's value, and makes autograd carry relevance in place of gradients:
what arrives at the value is shared among the inputs, here by z_ij / sum_i z_ij of some z.
"""

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

Affine = Callable[..., Tensor]
"""Of one or several inputs, affine in all of them together."""

Pull = Callable[[Tensor], tuple[Tensor, ...]]
"""Takes something of the result's shape back to the inputs, as gradients go."""

STABILISER = 1e-6  # added to a sum that is divided by, away from zero


def handed(value: Tensor, hand_back: Callable[..., tuple[Tensor, ...]], *inputs: Tensor) -> Tensor:
    """Return `value`, whose relevance goes to `inputs` as `hand_back(relevance, *inputs)` says."""
    result: Tensor = _Handed.apply(value, hand_back, *inputs)
    return result


def passed_on(value: Tensor, x: Tensor) -> Tensor:
    """Hand all on to x, of the value's shape, place by place."""
    return handed(value, lambda relevance, _: (relevance,), x)


def by_shares(function: Affine, *inputs: Tensor, epsilon: float = STABILISER) -> Tensor:
    """Hand back by what each input adds to the sum: LRP-epsilon, where biases keep their part."""

    def hand_back(relevance: Tensor, *xs: Tensor) -> tuple[Tensor, ...]:
        y, pull = _pulled(function, *xs)
        return tuple(x * g for x, g in zip(xs, pull(relevance / _away(y, epsilon)), strict=True))

    with torch.no_grad():
        value = function(*inputs)
    return handed(value, hand_back, *inputs)


def by_positive_shares(layer: nn.Module, x: Tensor) -> Tensor:
    """Hand back by what speaks for the sum alone: the z+ rule (Montavon et al. 2017)."""

    def hand_back(relevance: Tensor, x: Tensor) -> tuple[Tensor, ...]:
        y_up, pull_up = _pulled(_with(layer, _positive, _positive), x.clamp_min(0))
        y_down, pull_down = _pulled(_with(layer, _negative, torch.zeros_like), x.clamp_max(0))
        share = relevance / _away(y_up + y_down)
        return (x.clamp_min(0) * pull_up(share)[0] + x.clamp_max(0) * pull_down(share)[0],)

    return _of_layer(layer, hand_back, x)


def by_favoured_shares(layer: nn.Module, x: Tensor, *, gamma: float) -> Tensor:
    """Hand back by shares in which those of the sum's own sign weigh more: LRP-gamma.

    The rule of Montavon et al. 2019, in the form of Andéol et al. 2021 for inputs of both signs.
    """

    def more(part: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        return lambda weight: weight + gamma * part(weight)

    def hand_back(relevance: Tensor, x: Tensor) -> tuple[Tensor, ...]:
        y = layer(x)
        result = torch.zeros_like(x)
        for is_side, part, other in (
            (y > 0, _positive, _negative),
            (y < 0, _negative, _positive),
        ):
            y_up, pull_up = _pulled(_with(layer, more(part), more(part)), x.clamp_min(0))
            y_down, pull_down = _pulled(_with(layer, more(other), torch.zeros_like), x.clamp_max(0))
            share = relevance * is_side / _away(y_up + y_down)
            result += x.clamp_min(0) * pull_up(share)[0] + x.clamp_max(0) * pull_down(share)[0]
        return (result,)

    return _of_layer(layer, hand_back, x)


def evenly(layer: nn.Module, x: Tensor) -> Tensor:
    """Hand the same back to all inputs: the flat rule (Lapuschkin et al. 2019)."""

    def hand_back(relevance: Tensor, x: Tensor) -> tuple[Tensor, ...]:
        y, pull = _pulled(_with(layer, torch.ones_like, torch.zeros_like), torch.ones_like(x))
        return pull(relevance / _away(y))

    return _of_layer(layer, hand_back, x)


def in_box(layer: nn.Module, x: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Hand back to pixels between two bounds: the z-box rule (Montavon et al. 2017)."""

    def hand_back(relevance: Tensor, x: Tensor) -> tuple[Tensor, ...]:
        y, pull = _pulled(layer, x)
        y_low, pull_low = _pulled(_with(layer, _positive, _positive), low)
        y_high, pull_high = _pulled(_with(layer, _negative, _negative), high)
        share = relevance / _away(y - y_low - y_high)
        return (x * pull(share)[0] - low * pull_low(share)[0] - high * pull_high(share)[0],)

    return _of_layer(layer, hand_back, x)


class _Handed(torch.autograd.Function):
    """Carries relevance back in place of a gradient."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, hand_back: Any, *inputs: Tensor) -> Tensor:
        """Return the value."""
        ctx.hand_back = hand_back
        ctx.save_for_backward(*inputs)
        return value.view_as(value)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return what each input gets."""
        return None, None, *ctx.hand_back(gradients[0], *ctx.saved_tensors)


def _of_layer(
    layer: nn.Module, hand_back: Callable[[Tensor, Tensor], tuple[Tensor, ...]], x: Tensor
) -> Tensor:
    with torch.no_grad():
        value = layer(x)
    return handed(value, hand_back, x)


def _pulled(function: Affine, *xs: Tensor) -> tuple[Tensor, Callable[[Tensor], tuple[Tensor, ...]]]:
    """Return function(*xs) and what pulls something of its shape back to the inputs."""
    with torch.enable_grad():
        points = [x.detach().requires_grad_() for x in xs]
        y = function(*points)
    return y.detach(), lambda share: torch.autograd.grad(y, points, share)


def _with(
    layer: nn.Module, weigh: Callable[[Tensor], Tensor], bias: Callable[[Tensor], Tensor]
) -> Affine:
    """Return the layer with another weight and another bias; the layer stays as it is."""
    change = {"weight": weigh, "bias": bias}
    other = copy.copy(layer)
    other._parameters = {
        name: None if value is None else nn.Parameter(change[name](value), requires_grad=False)
        for name, value in layer._parameters.items()
    }
    return other


def _positive(weight: Tensor) -> Tensor:
    return weight.clamp_min(0)


def _negative(weight: Tensor) -> Tensor:
    return weight.clamp_max(0)


def _away(y: Tensor, epsilon: float = STABILISER) -> Tensor:
    """Return y moved away from zero."""
    return y + torch.where(y < 0, -epsilon, epsilon)
