"""Which rule of LRP each call of a model takes.

Those for gates follow Arras et al., 2017, arXiv:1706.07206 (the signal takes all); those for
attention and layer norms, Ali et al., ICML 2022, arXiv:2202.07304.
"""

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F
from torchvision.models import swin_transformer

from xai_core.errors import InputError, ModelError
from xai_core.graph import attention
from xai_core.graph.interpreter import (
    ACTIVATIONS,
    AFFINE,
    GROUP_NORMS,
    REARRANGING,
    Call,
    depends_on_image,
    is_moving,
    leaves,
    nodes_from_image,
    scale,
)
from xai_core.graph.tracing import NormRelu, module_of
from xai_core.methods.relevance import relevance, window_attention
from xai_core.scoring import Baseline, as_baseline

_ROUNDING = 1e-4  # of pixels that were normalised, and bounds too


@dataclass(frozen=True)
class PixelBox:
    """An image and the bounds of its values, (1, C, H, W) each."""

    image: Tensor
    low: Tensor
    high: Tensor

    @classmethod
    def of(cls, image: Tensor, low: Baseline, high: Baseline) -> "PixelBox":
        """Check that the bounds hold the image.

        Raises:
            InputError: They do not, or do not broadcast to it.
        """
        box = cls(image, as_baseline(low, image), as_baseline(high, image))
        if not ((box.low - _ROUNDING <= image) & (image <= box.high + _ROUNDING)).all():
            raise InputError("the image lies outside the box; allowed: bounds that hold it")
        return box


def first_layer(traced: fx.GraphModule) -> fx.Node | None:
    """Return where the image first meets a layer with weights."""
    moving = nodes_from_image(traced.graph)
    layers = (*_CONVOLUTIONS, nn.Linear)
    nodes = (node for node in traced.graph.nodes if node in moving)
    return next((node for node in nodes if isinstance(module_of(traced, node), layers)), None)


@dataclass(frozen=True)
class RelevanceRules:
    """Makes each call of a model hand relevance back.

    Attributes:
        first: The call of the first layer with weights.
        gamma: Of convolutions, or None for the z+ rule.
        epsilon: Of linear layers.
        box: What bounds the image's values, or None for the flat rule.
    """

    first: fx.Node | None
    gamma: float | None
    epsilon: float
    box: PixelBox | None

    def __call__(self, call: Call) -> Any:
        """Return what a call gives."""
        if not depends_on_image([*call.args, *call.kwargs.values()]):
            return call.run()
        if depends_on_image(list(call.kwargs.values())):
            return _refused(call)
        if call.node is self.first:
            return self._first(call)
        if isinstance(call.layer, _CONVOLUTIONS):
            return self._convolution(call.layer, call.args[0])
        if call.kind is nn.Linear:
            return relevance.by_shares(call.run, call.args[0], epsilon=self.epsilon)
        return _RULES.get(call.kind, _refused)(call)

    def _first(self, call: Call) -> Tensor:
        layer, x = cast(nn.Module, call.layer), call.args[0]
        if self.box is None:
            return relevance.evenly(layer, x)
        if not torch.equal(x.flatten(), self.box.image.flatten()):
            raise ModelError(f"box is given, but {call.name} does not take the image itself")
        low, high = self.box.low.view_as(x), self.box.high.view_as(x)
        return relevance.in_box(layer, x, low, high)

    def _convolution(self, layer: nn.Module, x: Tensor) -> Tensor:
        if self.gamma is None:
            return relevance.by_positive_shares(layer, x)
        return relevance.by_favoured_shares(layer, x, gamma=self.gamma)


def _value(call: Call) -> Any:
    with torch.no_grad():
        return call.run()


def _refused(call: Call) -> Any:
    """Return what a call gives, and refuse once relevance comes back to it."""
    value, error = call.run(), ModelError(f"LRP has no rule for {call.name}")
    if not depends_on_image(value):
        return value  # a shape, say
    if not isinstance(value, Tensor):
        raise error

    def refuse(*_: Tensor) -> tuple[Tensor, ...]:
        raise error

    inputs = [leaf for leaf in leaves([*call.args, *call.kwargs.values()]) if is_moving(leaf)]
    return relevance.handed(value.detach(), refuse, *inputs)


def _passed_on(call: Call, index: int = 0) -> Any:
    value, x = _value(call), call.args[index]
    return relevance.passed_on(value, x) if value.shape == x.shape else _refused(call)


def _moving(call: Call) -> list[int]:
    """Return which arguments follow from the image."""
    return [index for index, value in enumerate(call.args) if depends_on_image(value)]


def _by_shares(call: Call) -> Any:
    """Share among all arguments that follow from the image, in which the call is affine."""
    moving = _moving(call)
    if not all(isinstance(call.args[index], Tensor) for index in moving):
        return _refused(call)

    def function(*inputs: Tensor) -> Tensor:
        args = list(call.args)
        for index, value in zip(moving, inputs, strict=True):
            args[index] = value
        result: Tensor = call.run(*args)
        return result

    return relevance.by_shares(function, *(call.args[index] for index in moving))


def _product(call: Call) -> Any:
    """Hand on to the signal; a gate that it is multiplied with gets nothing."""
    moving = _moving(call)
    if len(moving) > 1:
        moving = [index for index in moving if not _is_gate(call, index)]
    return _passed_on(call, moving[0]) if len(moving) == 1 else _refused(call)


def _is_gate(call: Call, index: int) -> bool:
    maker, traced = call.node.args[index], call.node.graph.owning_module
    if not isinstance(maker, fx.Node) or traced is None:
        return False
    layer = module_of(traced, maker)
    return (maker.target if layer is None else type(layer)) in _GATES


def _quotient(call: Call) -> Any:
    return _passed_on(call) if _moving(call) == [0] else _refused(call)


def _bilinear(call: Call) -> Any:
    return _by_shares(call) if len(_moving(call)) == 1 else _refused(call)


def _norm(call: Call) -> Tensor:
    """Share what a layer norm or group norm gives, its scale being fixed."""
    x, eps = call.args[0], call.option(4, "eps", 1e-5)
    dims: tuple[int, ...]
    if call.kind in GROUP_NORMS:
        shape, dims = (len(x), call.option(1, "num_groups"), -1), (2,)
    else:
        shape, dims = x.shape, tuple(range(-len(call.option(1, "normalized_shape")), 0))
    variance = x.detach().reshape(shape).var(dims, correction=0, keepdim=True)

    def with_fixed_scale(x: Tensor) -> Tensor:
        groups = x.reshape(shape)
        normed = (groups - groups.mean(dims, keepdim=True)) * (variance + eps).rsqrt()
        return scale(call, normed.view_as(x))

    return relevance.by_shares(with_fixed_scale, x)


def _attention(call: Call) -> tuple[Tensor, None]:
    layer = attention.attention_layer(call)
    query, key, value = call.args
    with torch.no_grad():
        q, k, _ = attention.project(layer, query, key, value)
        weights = (q @ k.mT).softmax(-1)

    def attended(value: Tensor) -> Tensor:
        heads = weights @ attention.project(layer, value, value, value)[2]
        return attention.join_heads(layer, heads)

    return relevance.by_shares(attended, value), None


def _window_attention(call: Call) -> Tensor:
    def attended(x: Tensor) -> Tensor:
        return window_attention.with_fixed_weights(call.run, x)

    return relevance.by_shares(attended, call.args[0])


_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d)
_NORMS = {nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, NormRelu}
_GATES = {nn.Sigmoid, nn.Hardsigmoid, F.sigmoid, F.hardsigmoid, torch.sigmoid, "sigmoid"}
_RULES: dict[object, Callable[[Call], Any]] = {
    **dict.fromkeys(AFFINE - {F.conv2d}, _by_shares),
    **dict.fromkeys(REARRANGING, Call.run),
    **dict.fromkeys((nn.MaxPool2d, F.max_pool2d, torch.max_pool2d), Call.run),
    **dict.fromkeys((nn.AdaptiveMaxPool2d, F.adaptive_max_pool2d), Call.run),
    **dict.fromkeys(ACTIVATIONS | _NORMS, _passed_on),
    **dict.fromkeys((operator.mul, torch.mul, "mul"), _product),
    **dict.fromkeys((operator.truediv, torch.div, "div"), _quotient),
    **dict.fromkeys((operator.matmul, torch.matmul, torch.bmm, "matmul", "bmm"), _bilinear),
    torch.einsum: _bilinear,
    **dict.fromkeys((nn.Softmax, F.softmax, torch.softmax, "softmax"), _value),
    **dict.fromkeys(GROUP_NORMS | {nn.LayerNorm, F.layer_norm}, _norm),
    nn.MultiheadAttention: _attention,
    swin_transformer.shifted_window_attention: _window_attention,
}
