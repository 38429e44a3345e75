"""Layers' weights in the format and order in which products with them run fastest."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from xai_core.incremental.winograd import Winograd, pays

_Shape = tuple[torch.Size, tuple[int, int], torch.dtype]
_RowsKey = tuple[fx.Node, int, int] | tuple[int, int]

_MANY_ROWS = 128  # to multiply by one matrix; fewer do not pay for putting it in order


class PackedWeights:
    """Weights of a graph's layers, brought into order once and not again for each tile.

    A convolution on a CPU reorders its weights at every call; for the few small rectangles of a
    tile that may take as long as the product itself. A linear layer reads them in an order that
    costs it a sixth of its speed. A 1 x 1 convolution is a linear layer: the order of its weights
    suits any number of rectangles of any size.
    """

    def __init__(self) -> None:
        self._formats: dict[fx.Node, torch.dtype] = {}
        self._shapes: dict[tuple[fx.Node, int, int], _Shape] = {}
        self._packed: dict[tuple[fx.Node, int, int], Tensor] = {}
        self._filters: dict[tuple[fx.Node, int, int], Winograd] = {}
        self._packed_rows: dict[tuple[object, ...], Tensor] = {}

    def round(self, nodes: Sequence[fx.Node], dtype: torch.dtype) -> None:
        """Let these nodes, and no others, multiply in another format."""
        self._formats = dict.fromkeys(nodes, dtype)
        self._shapes.clear()
        self._packed.clear()
        self._packed_rows.clear()

    def is_rounded(self, node: fx.Node) -> bool:
        """Whether a node multiplies in another format than the model's."""
        return node in self._formats

    def cast(self, node: fx.Node, differences: Tensor) -> Tensor:
        """Return what a node multiplies in the format in which it does; values stay as they are."""
        return differences.to(self._formats.get(node, differences.dtype))

    def convolve(
        self,
        node: fx.Node,
        layer: nn.Conv2d,
        values: Tensor,
        *,
        padding: tuple[int, int],
        channels: slice = slice(None),
        bias: Tensor | None = None,
    ) -> Tensor:
        """Return W * x + bias.

        Args:
            node: Which calls the layer.
            layer: The convolution.
            values: x, some of the channels that the layer reads, (N, C, h, w).
            padding: Zeros to add at either end of both axes.
            channels: Which.
            bias: What to add, (C_out,); None for differences.
        """
        weight = layer.weight[:, channels]
        key = node, channels.start or 0, weight.shape[1]
        is_pointwise = (layer.kernel_size, layer.groups, padding) == ((1, 1), 1, (0, 0))
        if is_pointwise and _packs(values):
            down, across = layer.stride
            pixels = values.permute(0, 2, 3, 1)[:, ::down, ::across]
            return self._multiply_rows(key, weight[..., 0, 0], pixels, bias).permute(0, 3, 1, 2)
        settings = padding, layer.stride, layer.dilation, layer.groups
        last, shape = self._shapes.get(key), (values.shape, padding, values.dtype)
        self._shapes[key] = shape
        # Weights at the points cost some products: only a layer that comes again gets them.
        if last is not None and _packs(values) and pays(layer, values, padding):
            if key not in self._filters:
                self._filters[key] = Winograd(weight)
            filtered = self._filters[key](values, padding)
            return filtered if bias is None else filtered.add_(bias.view(-1, 1, 1))
        # The order that suits one shape is slow for others: only a shape that comes again gets one.
        is_again = last == shape
        if not is_again:
            self._packed.pop(key, None)
        if not is_again or not _packs(values):
            options = layer.stride, padding, layer.dilation, layer.groups
            return F.conv2d(values, weight.to(values.dtype), bias, *options)
        if key not in self._packed:
            reorder: Any = torch._C._nn.mkldnn_reorder_conv2d_weight
            self._packed[key] = reorder(
                weight.to(values.dtype).to_mkldnn(), *settings, values.shape
            )
        product: Tensor = torch.ops.mkldnn._convolution_pointwise(
            values, self._packed[key], bias, *settings, "none", [], ""
        )
        return product

    def multiply(
        self,
        weight: Tensor,
        values: Tensor,
        *,
        bias: Tensor | None = None,
        outputs: slice = slice(None),
    ) -> Tensor:
        """Return W x + bias over the last dimension.

        Args:
            weight: W, of all outputs, (C_out, C_in); a parameter of the graph.
            values: x, (..., C_in).
            bias: What to add, of all outputs; None for differences.
            outputs: Which to return.
        """
        bias = None if bias is None else bias[outputs]
        return self._multiply_rows((id(weight), outputs.start or 0), weight[outputs], values, bias)

    def _multiply_rows(
        self, key: _RowsKey, weight: Tensor, values: Tensor, bias: Tensor | None
    ) -> Tensor:
        """Return W x + bias over the last dimension of x, with a weight known by `key`."""
        if not _packs(values) or values.numel() < _MANY_ROWS * values.shape[-1]:
            return F.linear(values, weight.to(values.dtype), bias)
        typed = *key, values.dtype
        if typed not in self._packed_rows:
            reorder: Any = torch.ops.mkldnn._reorder_linear_weight
            self._packed_rows[typed] = reorder(weight.to(values.dtype).contiguous())
        product: Tensor = torch.ops.mkldnn._linear_pointwise(
            values, self._packed_rows[typed], bias, "none", [], ""
        )
        return product


def _packs(values: Tensor) -> bool:
    """Whether oneDNN multiplies these values by weights that it has put in order before."""
    is_known = values.dtype in {torch.float32, torch.bfloat16} and values.numel() > 0
    has_onednn: bool = torch._C._get_mkldnn_enabled() and torch._C._has_mkldnn
    return values.device.type == "cpu" and is_known and has_onednn
