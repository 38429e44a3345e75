"""What the clean image gives at every node of a graph."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, fx

from xai_core.graph.interpreter import Interpreter, nodes_from_image
from xai_core.incremental.sheet import Sheet
from xai_core.incremental.span import Span

Derive = Callable[[Tensor], Tensor]


def itself(values: Tensor) -> Tensor:
    """Return the values as they are."""
    return values


class CleanMaps:
    """The values of one clean pass, and views of them under grids of rectangles.

    Args:
        graph: What the image was passed through.
        values: What each of its nodes gave.
        dtype: The image's format.

    """

    def __init__(self, graph: fx.Graph, values: Mapping[fx.Node, Any], dtype: torch.dtype) -> None:
        self._values = values
        self._from_image = nodes_from_image(graph)
        self._sheets: dict[tuple[fx.Node, Derive, float, torch.dtype | None], Sheet] = {}
        self.dtype = dtype

    @classmethod
    def of(cls, traced: fx.GraphModule, image: Tensor) -> "CleanMaps":
        """Pass an image, (1, C, H, W), through a graph."""
        return cls(traced.graph, Interpreter(traced).values(image), image.dtype)

    def __getitem__(self, node: fx.Node) -> Any:
        """Return the clean value of a node; tensors have one image, (1, ...)."""
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
        if key not in self._sheets:
            values = derive(self._values[node]).to(dtype or self.dtype)
            self._sheets[key] = Sheet(values, axes, outside=outside)
        return self._sheets[key].under(rows, columns)
