"""One node of the graph, as a rule sees it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx, nn

from xai_core.incremental.clean import CleanMaps, Derive, itself
from xai_core.incremental.patch import Patch
from xai_core.incremental.products import Products
from xai_core.incremental.span import Span


@dataclass(frozen=True)
class Call:
    """One node of the graph with the patches that reach it.

    Attributes:
        node: The node.
        layer: The module it calls, if it calls one.
        args: Its arguments, with patches in the place of the nodes that gave them; at least one
            of them is a patch, or a list with patches.
        kwargs: Its keyword arguments; none of them is a patch.
        maps: What the clean image gives at every node.
        products: Multiplies differences by weights.
    """

    node: fx.Node
    layer: nn.Module | None
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    maps: CleanMaps
    products: Products = field(default_factory=Products)

    @property
    def patch(self) -> Patch:
        """The first argument that is a patch."""
        return next(arg for arg in self.args if isinstance(arg, Patch))

    @property
    def source(self) -> fx.Node:
        """The node that gave `patch`."""
        return self.sources[0]

    @property
    def sources(self) -> list[fx.Node]:
        """The nodes that gave the arguments that are patches."""
        pairs = zip(self.node.args, self.args, strict=True)
        return [node for node, arg in pairs if isinstance(arg, Patch) and isinstance(node, fx.Node)]

    @property
    def may_write(self) -> bool:
        """Whether nobody else reads the memory of `patch`."""
        return self.patch.is_own and len(self.source.users) == 1

    @property
    def is_rounded(self) -> bool:
        """Whether the patch comes or goes in fewer bits than the clean values."""
        return self.products.are_rounded(self.node) or self.patch.values.dtype != self.maps.dtype

    def option(self, index: int, name: str, default: object = None) -> Any:
        """Return an attribute of the layer, or an argument of the function."""
        if self.layer is not None:
            return getattr(self.layer, name, default)
        return self.args[index] if index < len(self.args) else self.kwargs.get(name, default)

    def clean(
        self,
        node: fx.Node,
        rows: Span,
        columns: Span,
        *,
        derive: Derive = itself,
        outside: float = 0.0,
        dtype: torch.dtype | None = None,
    ) -> Tensor:
        """Return a node's clean values under a grid, (n_rows, n_columns, ...); see `CleanMaps`."""
        return self.maps.under(
            node, rows, columns, self.patch.axes, derive=derive, outside=outside, dtype=dtype
        )

    def run(self, args: tuple[Any, ...]) -> Any:
        """Make the call itself, with other positional arguments."""
        if self.layer is not None:
            return self.layer(*args, **self.kwargs)
        if self.node.op == "call_method":
            return getattr(args[0], str(self.node.target))(*args[1:], **self.kwargs)
        return self.node.target(*args, **self.kwargs)  # type: ignore[operator]  # a function


Rule = Callable[[Call], Any]
"""Returns what a call gives (a patch, values, or a plain object), or None where a patch cannot
stay a patch: the call mixes all positions, or uses an option that the rule does not know."""
