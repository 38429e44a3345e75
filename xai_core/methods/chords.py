"""Slopes of whole stretches of a path: what DeepLIFT's multipliers are between two near points.

A gradient holds at one point. Between two neighbouring points of a path every bend (ReLU, max
pooling) has instead the slope of the chord, (f(z') - f(z)) / (z' - z): the share of the stretch on
which a unit was on. By the chain rule these slopes add up to F's rise over the stretch exactly,
whatever its length (Shrikumar et al. 2017, section 3.2), and they tend to the gradient.

A batch holds points in their order. Row k stands for the stretch that ends at it; the stretch of
the first row begins where the batch before ended.
"""

import operator
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, fx, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from xai_core.chunks import Chunk, chunks, in_parts
from xai_core.errors import InputError, ModelError
from xai_core.graph import NormRelu, module_of
from xai_core.methods.backward_rules import AFFINE, Call, depends_on_image
from xai_core.methods.deeplift import score_of_chord
from xai_core.methods.path import Path, gradients_of

_N_COARSE = 8
_FLOOR = 0.05  # of the mean: where nothing turns on the whole there still are points
_TINY = 1e-12

Ends = dict[fx.Node, Tensor]
"""What reached each bend at the last point of a batch, (1, ...)."""

Seen = Callable[[Tensor, Tensor], None]
"""Told what reached a ReLU at each point of a batch, and at the point before the first."""


def placed(path: Path, n_stretches: int, *, chunk_size: int) -> Tensor:
    """Return the ends of stretches, (n_stretches + 1,) from 0 to 1, closest where most units turn.

    A few forward passes count the units that turn on or off between even points, as a share of
    each ReLU's units: what a stretch misses comes from units that turn in the same stretch.

    Raises:
        InputError: There is no stretch.
    """
    if not isinstance(n_stretches, int) or n_stretches < 1:
        raise InputError(f"n_steps is {n_stretches!r}; allowed for chord: 1 or more")
    even = np.linspace(0, 1, _N_COARSE + 1)
    alphas, shares, ends = path.ends.new_tensor(even), [], Ends()

    def turned(at: Chunk) -> tuple[Tensor, Ends]:
        layers: list[Tensor] = []

        def seen(x: Tensor, before: Tensor) -> None:
            is_on = x > 0
            turns = is_on ^ torch.cat([before > 0, is_on[: -len(before)]])
            layers.append(turns.reshape(len(at), -1).float().mean(1))

        points = path.points(alphas[at.start : at.stop])
        _, reached = passed(path.rest, points, ends, seen)
        return torch.stack(layers).mean(0) if layers else points.new_ones(len(at)), reached

    with torch.no_grad():
        for _, (share, reached) in in_parts(chunks(len(even), chunk_size), turned):
            shares.append(share)
            ends = reached
    # The first point has no stretch before it.
    turns = torch.cat(shares)[1:].double().cpu().numpy()
    # Pairs that turn on one stretch of length h make an error of h (r h): least for sqrt(r).
    density = np.sqrt(turns + max(_FLOOR * turns.mean(), _TINY))
    mass = np.concatenate([[0], density.cumsum() / density.sum()])
    return path.ends.new_tensor(np.interp(np.linspace(0, 1, n_stretches + 1), mass, even))


class Walk:
    """Goes over the stretches of a path in their order.

    Args:
        path: Through a prepared model.
        nodes: The ends of its n stretches, (n + 1,).
    """

    def __init__(self, path: Path, nodes: Tensor) -> None:
        self._path = path
        self._nodes = nodes
        with torch.no_grad():
            self._scores, self._ends = passed(path.rest, path.points(nodes[:1]), {})

    def over(self, at: Chunk) -> Tensor:
        """Return what the slopes behind the stem come to over some stretches, (T, ...).

        Raises:
            ModelError: The model bends in another way than by ReLU and max pooling.
        """
        nodes = self._nodes[at.start : at.stop + 1]
        points = self._path.points(nodes[1:]).requires_grad_()
        scores, ends = passed(self._path.rest, points, self._ends)
        scores0 = torch.cat([self._scores, scores.detach()])
        explained = [score_of_chord(each, scores, scores0[:-1]) for each in self._path.scores]
        slopes, _ = gradients_of(explained, points)
        # Kept only now: a batch that does not fit into memory is passed again in pieces.
        self._scores, self._ends = scores0[-1:], ends
        return torch.einsum("n,tn...->t...", nodes.diff(), slopes)


def passed(
    traced: nn.Module, points: Tensor, ends: Ends, seen: Seen | None = None
) -> tuple[Tensor, Ends]:
    """Pass points, (n, ...), so that autograd gives the chords' slopes.

    Args:
        traced: A prepared model.
        points: In the order of the path.
        ends: Of the batch before; empty for the path's first, whose first row then has no length
            and the gradient for its slope.
        seen: Told what reaches each ReLU.

    Returns:
        The class scores, (n, K), and the ends of this batch.

    Raises:
        ModelError: The model bends in another way than by ReLU and max pooling.
    """
    reached: Ends = {}

    def make(call: Call) -> Any:
        if not (rule := _RULES.get(call.kind)):
            result = call.run(*call.args)
            if depends_on_image(result) and not _is_affine(call):
                raise ModelError(f"chords bend with ReLU and max pooling, not with {call.name}")
            return result
        x = cast(NormRelu, call.layer).norm(call.args[0]) if call.kind is NormRelu else call.args[0]
        # Where a model folds its batch into another axis, its rows still follow one another.
        n_rows = len(x) // len(points)
        before = ends.get(call.node, x.detach()[:n_rows])
        reached[call.node] = x.detach()[-n_rows:].clone()
        if seen is not None and rule is _relu:
            seen(x, before)
        return rule(call, x, before)

    scores: Tensor = _Interpreter(cast(fx.GraphModule, traced), make).run(points)
    return scores, reached


class _Interpreter(fx.Interpreter):
    """Runs a graph call by call, and lets go of values that nobody asks for any more."""

    def __init__(self, traced: fx.GraphModule, make: Callable[[Call], Any]) -> None:
        super().__init__(traced)
        self.extra_traceback = False  # it would rewrite our errors
        self._traced = traced
        self._make = make

    def run_node(self, n: fx.Node) -> Any:
        if not n.op.startswith("call_"):
            return super().run_node(n)
        args, kwargs = self.fetch_args_kwargs_from_env(n)
        return self._make(Call(n, module_of(self._traced, n), args, kwargs))


def _is_affine(call: Call) -> bool:
    """Whether a call is affine in those of its arguments that follow from the image."""
    if call.kind in AFFINE:
        return True
    depends = [depends_on_image(argument) for argument in call.args]
    return (call.kind in _PRODUCTS and sum(depends) == 1) or (
        call.kind in _RATIOS and not depends[1]
    )


_PRODUCTS = frozenset(
    {operator.mul, operator.imul, torch.mul, "mul", operator.matmul, torch.matmul}
)
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
        slopes = torch.ops.aten.threshold_backward(gradient, x, 0)
        # Most units stay on or off over a stretch; only the others' share is to be worked out.
        at = _changes(x > 0, before > 0)
        came, went = _one_row_back(x, before, at), x[at]
        slopes[at] = gradient[at] * torch.maximum(came, went) / (went - came).abs()
        return slopes, None


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
        x, before, places, places_before = ctx.saved_tensors
        slopes = torch.ops.aten.max_pool2d_with_indices_backward(gradient, x, *ctx.options, places)
        at = _changes(places, places_before)
        row, channel, *_ = at
        first, second = _one_row_back(places, places_before, at), places[at]
        width = x.shape[-1]
        old = (row, channel, first // width, first % width)
        new = (row, channel, second // width, second % width)
        lead = _one_row_back(x, before, old) - _one_row_back(x, before, new)
        lag = x[new] - x[old]
        share = (lead / (lead + lag)).nan_to_num(nan=0.0)  # ties at both ends
        moved = share * gradient[at]
        slopes.index_put_(old, moved, accumulate=True)
        slopes.index_put_(new, -moved, accumulate=True)
        return slopes, None, None


_Places = tuple[Tensor, ...]


def _changes(rows: Tensor, before: Tensor) -> _Places:
    """Return where a value differs from the one a row back."""
    n_before = len(before)
    differs = torch.empty_like(rows, dtype=torch.bool)
    torch.ne(rows[:n_before], before, out=differs[:n_before])
    torch.ne(rows[n_before:], rows[:-n_before], out=differs[n_before:])
    return differs.nonzero(as_tuple=True)


def _one_row_back(rows: Tensor, before: Tensor, at: _Places) -> Tensor:
    """Return the values a row back from the places `at`."""
    row, *place = at
    earlier = row - len(before)
    is_first = earlier < 0
    values = rows[(earlier.clamp_min(0), *place)]
    values[is_first] = before[(row[is_first], *(index[is_first] for index in place))]
    return values
