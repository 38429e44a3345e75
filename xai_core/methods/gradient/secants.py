"""Slopes of whole stretches of a path: what DeepLIFT's multipliers are between two near points.

A gradient holds at one point. Between two neighbouring points of a path every bend (ReLU, max
pooling) has instead the slope of the secant, (f(z') - f(z)) / (z' - z): the share of the stretch on
which a unit was on. By the chain rule these slopes add up to F's rise over the stretch exactly,
whatever its length (Shrikumar et al. 2017, section 3.2), and they tend to the gradient.

A batch holds points in their order. Row k stands for the stretch that ends at it; the stretch of
the first row begins where the batch before ended.
"""

import operator
from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, fx, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from xai_core.errors import InputError, ModelError
from xai_core.graph.interpreter import AFFINE, Call, Interpreter, depends_on_image
from xai_core.graph.tracing import NormRelu
from xai_core.methods.gradient.path import Path, gradients_of
from xai_core.methods.relevance.deeplift import score_by_secant
from xai_core.runtime.chunks import Chunk, one_image

N_COPIES = 3
"""Times what a plain pass keeps: both ends of a stretch, and the slope between them."""

Ends = dict[fx.Node, Tensor]
"""What reached each bend at the last point of a batch, (1, ...)."""


class Walk:
    """Goes over the even stretches of a path in their order.

    Args:
        path: Through a prepared model.
        n_stretches: Into how many it is cut.

    Raises:
        InputError: There is no stretch.
    """

    def __init__(self, path: Path, n_stretches: int) -> None:
        if not isinstance(n_stretches, int) or n_stretches < 1:
            raise InputError(f"n_steps is {n_stretches!r}; allowed for chord: 1 or more")
        self._path = path
        self._nodes = torch.linspace(0, 1, n_stretches + 1).to(path.ends)
        with torch.no_grad(), one_image():
            self._scores, self._ends = passed(path.rest, path.points(self._nodes[:1]), {})

    def over(self, at: Chunk) -> Tensor:
        """Return what the slopes behind the stem come to over some stretches, (T, ...).

        Raises:
            ModelError: The model bends in another way than by ReLU and max pooling.
        """
        nodes = self._nodes[at.start : at.stop + 1]
        points = self._path.points(nodes[1:]).requires_grad_()
        scores, ends = passed(self._path.rest, points, self._ends)
        scores0 = torch.cat([self._scores, scores.detach()])
        explained = [score_by_secant(each, scores, scores0[:-1]) for each in self._path.scores]
        slopes, _ = gradients_of(explained, points)
        # Kept only now: a batch that does not fit into memory is passed again in pieces.
        self._scores, self._ends = scores0[-1:], ends
        return torch.einsum("n,tn...->t...", nodes.diff(), slopes)


def passed(traced: nn.Module, points: Tensor, ends: Ends) -> tuple[Tensor, Ends]:
    """Pass points, (n, ...), so that autograd gives the secants' slopes.

    Args:
        traced: A prepared model.
        points: In the order of the path.
        ends: Of the batch before; empty for the path's first, whose first row then has no length
            and the gradient for its slope.

    Returns:
        The class scores, (n, K), and the ends of this batch.

    Raises:
        ModelError: The model bends in another way than by ReLU and max pooling.
    """
    reached: Ends = {}

    def make(call: Call) -> Any:
        if not (rule := _RULES.get(call.kind)):
            result = call.run()
            if depends_on_image(result) and not _is_affine(call):
                raise ModelError(f"chords bend with ReLU and max pooling, not with {call.name}")
            return result
        x = cast(NormRelu, call.layer).norm(call.args[0]) if call.kind is NormRelu else call.args[0]
        # Where a model folds its batch into another axis, its rows still follow one another.
        n_rows = len(x) // len(points)
        before = ends.get(call.node, x.detach()[:n_rows])
        reached[call.node] = x.detach()[-n_rows:].clone()
        return rule(call, x, before)

    return Interpreter(cast(fx.GraphModule, traced), make).scores(points), reached


def _is_affine(call: Call) -> bool:
    """Whether a call is affine in those of its arguments that follow from the image."""
    if call.kind in AFFINE:
        return True
    depends = [depends_on_image(argument) for argument in call.args]
    return (call.kind in _PRODUCTS and sum(depends) == 1) or (
        call.kind in _RATIOS and not depends[1]
    )


_PRODUCTS = frozenset({operator.mul, torch.mul, "mul", operator.matmul, torch.matmul})
_RATIOS = frozenset({operator.truediv, torch.div, "div"})


def _relu(_: Call, x: Tensor, before: Tensor) -> Tensor:
    result: Tensor = _Relu.apply(x, before)
    return result


def _max_pooling(call: Call, x: Tensor, before: Tensor) -> Tensor:
    size = call.option(1, "kernel_size")
    options = (
        _pair(size),
        _pair(call.option(2, "stride") or size),
        _pair(call.option(3, "padding", 0)),
        _pair(call.option(4, "dilation", 1)),
        call.option(5, "ceil_mode", False),
    )
    result: Tensor = _MaxPooling.apply(x, before, options)
    return result


def _pair(number: int | tuple[int, int]) -> tuple[int, int]:
    return (number, number) if isinstance(number, int) else number


_RULES: dict[object, Callable[[Call, Tensor, Tensor], Tensor]] = {
    **dict.fromkeys((nn.ReLU, F.relu, torch.relu, "relu", NormRelu), _relu),
    **dict.fromkeys((nn.MaxPool2d, F.max_pool2d, torch.max_pool2d), _max_pooling),
}


class _Relu(torch.autograd.Function):
    """ReLU of x, (n, ...), where the row before the first is `before`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, before: Tensor) -> Tensor:
        ctx.save_for_backward(x, before)
        return x.clamp_min(0)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        x, before = ctx.saved_tensors
        # The share of the way from x0 to x above zero is max(x, x0) / |x - x0|, and all or nothing
        # beyond 1 and 0; the smallest number keeps 0 / 0 at 0.
        came = _row_back(x, before)
        shares = torch.maximum(x, came)
        shares /= came.sub_(x).abs_().add_(torch.finfo(x.dtype).tiny)
        return shares.clamp_(0, 1).mul_(gradient), None


class _MaxPooling(torch.autograd.Function):
    """Max pooling of x, (n, C, H, W), where the row before the first is `before`.

    Where the largest value of a window changes place, two candidates are taken for straight lines:
    the first leads until they cross, then the second.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, before: Tensor, options: tuple[Any, ...]) -> Tensor:
        y, places = F.max_pool2d_with_indices(x, *options)
        _, places_before = F.max_pool2d_with_indices(before, *options)
        ctx.options = options
        ctx.save_for_backward(x, before, places, places_before)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        x, before, new, places_before = ctx.saved_tensors
        slopes = torch.ops.aten.max_pool2d_with_indices_backward(gradient, x, *ctx.options, new)
        old = _row_back(new, places_before)
        turned = (old != new).nonzero(as_tuple=True)
        row, channel, width = turned[0], turned[1], x.shape[3]
        first, second = ((channel, at // width, at % width) for at in (old[turned], new[turned]))
        lead = _at_row_back(x, before, row, first) - _at_row_back(x, before, row, second)
        lag = x[row, *second] - x[row, *first]
        # Where two candidates are equal all along there is nothing to share.
        moved = (lead / (lead + lag)).nan_to_num_(nan=0.0) * gradient[turned]
        slopes.index_put_((row, *first), moved, accumulate=True)
        slopes.index_put_((row, *second), -moved, accumulate=True)
        return slopes, None, None


def _at_row_back(rows: Tensor, before: Tensor, row: Tensor, at: tuple[Tensor, ...]) -> Tensor:
    """Return single values of what `_row_back` gives, without making all of it."""
    n_before = len(before)
    inside = rows[(row - n_before).clamp_min(0), *at]
    return torch.where(row < n_before, before[row.clamp_max(n_before - 1), *at], inside)


def _row_back(rows: Tensor, before: Tensor) -> Tensor:
    """Return rows moved on by one point, with what was before the first in front."""
    return torch.cat([before, rows[: -len(before)]])
