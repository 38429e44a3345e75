"""What the clean image gives at every node of a graph: b, to which differences are taken."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx

from xai_core.graph.interpreter import Interpreter, nodes_from_image
from xai_core.incremental.padded_map import PaddedMap
from xai_core.incremental.span import Span

Derive = Callable[[Tensor], Tensor]


def itself(values: Tensor) -> Tensor:
    """Return the values as they are."""
    return values


class ReferenceActivations:
    """The values of one pass of the clean image, and views of them under grids of rectangles.

    Args:
        traced: What the image is passed through.
        image: (1, C, H, W).
    """

    def __init__(self, traced: fx.GraphModule, image: Tensor) -> None:
        self._values = Interpreter(traced).values(image)
        self._from_image = nodes_from_image(traced.graph)
        self._padded: dict[tuple[fx.Node, Derive, float, torch.dtype | None], PaddedMap] = {}
        self.dtype = image.dtype

    def __getitem__(self, node: fx.Node) -> Any:
        """Return what a node gave; tensors have one image, (1, ...)."""
        return self._values[node]

    def varies(self, node: object) -> bool:
        """Whether a node depends on the image."""
        return node in self._from_image

    def under(
        self,
        node: fx.Node,
        rows: Span,
        columns: Span,
        axes: tuple[int, int],
        *,
        derive: Derive = itself,
        outside: float = 0.0,
        dtype: torch.dtype | None = None,
    ) -> Tensor:
        """Return what lies under the rectangles of a grid, (n_rows, n_columns, ...).

        Args:
            node: Whose output.
            rows: Vertical intervals.
            columns: Horizontal intervals.
            axes: Dimensions of the output, (1, ...), that are vertical and horizontal.
            derive: Elementwise function of the output to return instead; computed once.
            outside: What lies beyond the ends of the map.
            dtype: What to round to; None leaves the values as they are.
        """
        key = node, derive, outside, dtype
        if key not in self._padded:
            values = derive(self._values[node]).to(dtype or self.dtype)
            self._padded[key] = PaddedMap(values, axes, outside=outside)
        return self._padded[key].under(rows, columns)
