"""What operations of exported programs become: layers and functions that the methods' rules know.

`torch.export` gives low-level operations (ATen) and keeps weights apart. Operations that have no
counterpart here stay as they are: they can be called and differentiated as any function.
"""

import math
import operator
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch._ops import OpOverload
from torch.nn import functional as F

_aten = torch.ops.aten
_THE_END = 2**63 - 1  # how `x[start:]` is written down
_Sizes = list[int]


def itself(x: Any) -> Any:
    """Return the argument: stands for operations that change nothing."""
    return x


def _weighted(layer: nn.Module, **weights: Tensor | None) -> nn.Module:
    for name, value in weights.items():
        is_buffer = name.startswith("running_")
        setattr(layer, name, value if is_buffer or value is None else nn.Parameter(value))
    return layer


def _pair(sizes: _Sizes) -> tuple[int, int]:
    return sizes[0], sizes[-1]


def _convolution(
    weight: Tensor,
    bias: Tensor | None,
    stride: _Sizes,
    padding: _Sizes | str,
    dilation: _Sizes,
    groups: int,
) -> nn.Module:
    n_out, n_in, height, width = weight.shape
    layer = nn.Conv2d(
        *(n_in * groups, n_out, (height, width), _pair(stride)),
        padding=padding if isinstance(padding, str) else _pair(padding),
        dilation=_pair(dilation),
        groups=groups,
        device="meta",
    )
    return _weighted(layer, weight=weight, bias=bias)


def _linear(weight: Tensor, bias: Tensor | None) -> nn.Module:
    layer = nn.Linear(weight.shape[1], weight.shape[0], device="meta")
    return _weighted(layer, weight=weight, bias=bias)


def _norm(
    kind: Callable[..., nn.Module],
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor,
    running_var: Tensor,
    momentum: float,
    eps: float,
) -> nn.Module:
    layer = kind(len(running_mean), eps, momentum, device="meta")
    buffers = {"running_mean": running_mean, "running_var": running_var}
    return _weighted(layer, weight=weight, bias=bias, num_batches_tracked=None, **buffers)


def _rectifier() -> nn.Module:
    return nn.ReLU()


def _max_pooling(
    kernel_size: _Sizes, stride: _Sizes, padding: _Sizes, dilation: _Sizes, ceil_mode: bool
) -> nn.Module:
    size, step = _pair(kernel_size), _pair(stride or kernel_size)
    return nn.MaxPool2d(size, step, _pair(padding), _pair(dilation), ceil_mode=ceil_mode)


def _average_pooling(
    kernel_size: _Sizes,
    stride: _Sizes,
    padding: _Sizes,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
) -> nn.Module:
    size, step = _pair(kernel_size), _pair(stride or kernel_size)
    return nn.AvgPool2d(size, step, _pair(padding), ceil_mode, count_include_pad, divisor_override)


def _adaptive_average(output_size: _Sizes) -> nn.Module:
    return nn.AdaptiveAvgPool2d(_pair(output_size))


NORM = _aten._native_batch_norm_legit_no_training.default
"""A batch norm in eval mode; gives a tuple, of which the first entry counts."""

_LAYERS: Mapping[OpOverload, Callable[..., nn.Module]] = {
    _aten.conv2d.default: _convolution,
    _aten.conv2d.padding: _convolution,
    _aten.linear.default: _linear,
    _aten.relu.default: _rectifier,
    _aten.max_pool2d.default: _max_pooling,
    _aten.avg_pool2d.default: _average_pooling,
    _aten.adaptive_avg_pool2d.default: _adaptive_average,
}
_NORMS = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d}


def layer_of(operation: OpOverload, source: Any) -> Callable[..., nn.Module] | None:
    """Return what builds an operation's layer from the options by their names, if it has one.

    Args:
        operation: The operation.
        source: The node that gives its input.
    """
    if operation not in _LAYERS and operation is not NORM:
        return None
    n_dims = source.meta["val"].dim()
    if operation is NORM:
        return partial(_norm, _NORMS[n_dims]) if n_dims in _NORMS else None
    build = _LAYERS[operation]
    return build if n_dims == 4 or build in {_linear, _rectifier} else None


SAME: Mapping[OpOverload, Any] = {
    **{_aten.cat.default: torch.cat, _aten.permute.default: torch.permute},
    **{_aten.transpose.int: torch.transpose, _aten.squeeze.dim: torch.squeeze},
    **{_aten.squeeze.dims: torch.squeeze, _aten.reshape.default: torch.reshape},
    **{_aten.view.default: torch.reshape, _aten._unsafe_view.default: torch.reshape},
    **{_aten.expand.default: "expand", _aten.sym_size.int: "size", _aten.detach.default: "detach"},
    **{_aten.clone.default: torch.clone, _aten.pad.default: F.pad},
    **{_aten.mean.dim: torch.mean, _aten.sum.dim_IntList: torch.sum},
    **{_aten.matmul.default: torch.matmul, _aten.bmm.default: torch.bmm},
    **{_aten.sigmoid.default: torch.sigmoid, _aten.tanh.default: torch.tanh},
    **{_aten.exp.default: torch.exp, _aten.abs.default: torch.abs},
    **{_aten.clamp.default: torch.clamp, _aten.softmax.int: torch.softmax},
    **{_aten.maximum.default: torch.maximum, _aten.minimum.default: torch.minimum},
    **{_aten.gelu.default: F.gelu, _aten.silu.default: F.silu, _aten.mish.default: F.mish},
    **{_aten.hardswish.default: F.hardswish, _aten.hardsigmoid.default: F.hardsigmoid},
    **{_aten.leaky_relu.default: F.leaky_relu, _aten.relu6.default: F.relu6},
    **{_aten.neg.default: operator.neg, _aten.pow.Tensor_Scalar: operator.pow},
    **dict.fromkeys((_aten.mul.Tensor, _aten.mul.Scalar), operator.mul),
    **{_aten.roll.default: torch.roll},
    **{_aten.scaled_dot_product_attention.default: F.scaled_dot_product_attention},
    **{_aten.alias.default: itself, _aten.lift_fresh_copy.default: itself},
}
"""What is called with the same arguments; names are methods."""


def _sum(x: Any, other: Any, alpha: float = 1) -> tuple[Any, ...]:
    return (operator.add, x, other) if alpha == 1 else (_scaled_sum, x, other, alpha)


def _scaled_sum(x: Tensor, other: Tensor, alpha: float) -> Tensor:
    return torch.add(x, other, alpha=alpha)


def _difference(x: Any, other: Any, alpha: float = 1) -> tuple[Any, ...]:
    return (operator.sub, x, other) if alpha == 1 else (_scaled_sum, x, other, -alpha)


def _reversed_difference(x: Any, other: Any, alpha: float = 1) -> tuple[Any, ...]:
    return (operator.sub, other, x) if alpha == 1 else (_scaled_sum, other, x, -alpha)


def _part(x: Any, dim: int, start: int | None, end: int | None, step: int) -> tuple[Any, ...]:
    end = None if end == _THE_END else end
    if not start and end is None and step == 1:
        return itself, x
    return operator.getitem, x, (*_before(x, dim), slice(start, end, step))


def _chosen(x: Any, dim: int, index: int) -> tuple[Any, ...]:
    return operator.getitem, x, (*_before(x, dim), index)


def _before(x: Any, dim: int) -> tuple[slice, ...]:
    n_before: int = dim % x.meta["val"].dim()
    return (slice(None),) * n_before


def _new_axis(x: Any, dim: int) -> tuple[Any, ...]:
    return torch.unsqueeze, x, dim % (x.meta["val"].dim() + 1)


def _parts(x: Any, split_size: int, dim: int) -> tuple[Any, ...]:
    shape = x.meta["val"].shape
    dim %= len(shape)
    if dim == 0:
        return torch.split, x, split_size, dim
    n_parts = math.ceil(shape[dim] / split_size)
    are_chunks = math.ceil(shape[dim] / n_parts) == split_size
    return (torch.chunk, x, n_parts, dim) if are_chunks else (torch.split, x, split_size, dim)


def _bounded(x: Any, min_val: float, max_val: float) -> tuple[Any, ...]:
    return (F.relu6, x) if (min_val, max_val) == (0, 6) else (F.hardtanh, x, min_val, max_val)


def _larger(
    x: Any, output_size: Any, scale_factors: Any, align_corners: bool | None = None
) -> tuple[Any, ...]:
    mode = "nearest" if align_corners is None else "bilinear"
    return F.interpolate, x, output_size, scale_factors, mode, align_corners


def _layer_norm(x: Any, **options: Any) -> tuple[Any, ...]:
    names = "normalized_shape", "weight", "bias", "eps"
    return F.layer_norm, x, *(options[name] for name in names)


def _norm_of_any_shape(x: Any, **options: Any) -> tuple[Any, ...]:
    names = "running_mean", "running_var", "weight", "bias"
    values = [options[name] for name in names]
    return F.batch_norm, x, *values, False, options["momentum"], options["eps"]


def _group_norm(x: Any, **options: Any) -> tuple[Any, ...]:
    return F.group_norm, x, *(options[name] for name in ("num_groups", "weight", "bias", "eps"))


OTHERWISE: Mapping[OpOverload, Callable[..., tuple[Any, ...]]] = {
    _aten.add.Tensor: _sum,
    _aten.sub.Tensor: _difference,
    _aten.rsub.Scalar: _reversed_difference,
    _aten.div.Tensor: lambda x, other: (operator.truediv, x, other),
    _aten.slice.Tensor: _part,
    _aten.select.int: _chosen,
    _aten.unsqueeze.default: _new_axis,
    _aten.split.Tensor: _parts,
    _aten.hardtanh.default: _bounded,
    NORM: _norm_of_any_shape,
    _aten.layer_norm.default: _layer_norm,
    _aten.group_norm.default: _group_norm,
    _aten.upsample_nearest2d.vec: _larger,
    _aten.upsample_bilinear2d.vec: _larger,
}
"""What is called otherwise: made of the first argument and the options by their names."""
