"""What layers multiply differences by: their weights, in the format and order that runs fastest."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F


class Products:
    """Weights of a graph's layers, brought into order once and not again for each tile.

    A convolution on a CPU reorders its weights at every call; for the few small rectangles of a
    tile that may take as long as the product itself.
    """

    def __init__(self) -> None:
        self._formats: dict[fx.Node, torch.dtype] = {}
        self._shapes: dict[tuple[fx.Node, int, int], tuple[torch.Size, tuple[int, int]]] = {}
        self._packed: dict[tuple[fx.Node, int, int], Tensor] = {}

    def round(self, nodes: Sequence[fx.Node], dtype: torch.dtype) -> None:
        """Let these nodes, and no others, multiply in another format."""
        self._formats = dict.fromkeys(nodes, dtype)
        self._shapes.clear()
        self._packed.clear()

    def are_rounded(self, node: fx.Node) -> bool:
        """Whether a node multiplies in another format than the model's."""
        return node in self._formats

    def convolved(
        self,
        node: fx.Node,
        layer: nn.Conv2d,
        values: Tensor,
        *,
        channels: slice,
        padding: tuple[int, int],
    ) -> Tensor:
        """Return W * d without the bias.

        Args:
            node: Which calls the layer.
            layer: The convolution.
            values: d, some of the channels that the layer reads, (N, C, h, w).
            channels: Which.
            padding: Zeros to add at either end of both axes.
        """
        values = values.to(self._formats.get(node, layer.weight.dtype))
        weight = layer.weight[:, channels]
        key = node, channels.start or 0, weight.shape[1]
        settings = padding, layer.stride, layer.dilation, layer.groups
        # The order that suits one shape is slow for others: only a shape that comes again gets one.
        is_again = self._shapes.get(key) == (shape := (values.shape, padding))
        self._shapes[key] = shape
        if not is_again:
            self._packed.pop(key, None)
        if not is_again or not _packs(values):
            options = layer.stride, padding, layer.dilation, layer.groups
            return F.conv2d(values, weight.to(values.dtype), None, *options)
        if key not in self._packed:
            reorder: Any = torch._C._nn.mkldnn_reorder_conv2d_weight
            self._packed[key] = reorder(
                weight.to(values.dtype).to_mkldnn(), *settings, values.shape
            )
        product: Tensor = torch.ops.mkldnn._convolution_pointwise(
            values, self._packed[key], None, *settings, "none", [], ""
        )
        return product

    def multiplied(self, node: fx.Node, layer: nn.Linear, values: Tensor) -> Tensor:
        """Return W d over the last dimension, without the bias."""
        dtype = self._formats.get(node, layer.weight.dtype)
        return F.linear(values.to(dtype), layer.weight.to(dtype))


def _packs(values: Tensor) -> bool:
    """Whether oneDNN multiplies these values by weights that it has put in order before."""
    is_known = values.dtype in {torch.float32, torch.bfloat16} and values.numel() > 0
    has_onednn: bool = torch._C._get_mkldnn_enabled() and torch._C._has_mkldnn
    return values.device.type == "cpu" and is_known and has_onednn
