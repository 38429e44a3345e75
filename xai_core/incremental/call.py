"""One call of the graph, as a difference rule sees it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx

from xai_core.graph.interpreter import Call
from xai_core.incremental.packed_weights import PackedWeights
from xai_core.incremental.patch import Patch
from xai_core.incremental.reference import Derive, ReferenceActivations, itself
from xai_core.incremental.span import Span


@dataclass(frozen=True)
class DeltaCall(Call):
    """One call of the graph with the patches that reach it.

    Where a rule is asked, at least one of `args` is a patch, or a list with patches; none of
    `kwargs` is.

    Attributes:
        reference: What the clean image gives at every node.
        weights: The graph's, in the order in which products run fastest.
    """

    reference: ReferenceActivations
    weights: PackedWeights = field(default_factory=PackedWeights)

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
        """Whether the patch comes or goes in fewer bits than the reference activations."""
        is_rounded_here = self.weights.is_rounded(self.node)
        return is_rounded_here or self.patch.values.dtype != self.reference.dtype

    def under(
        self,
        node: fx.Node,
        rows: Span,
        columns: Span,
        *,
        derive: Derive = itself,
        outside: float = 0.0,
        dtype: torch.dtype | None = None,
    ) -> Tensor:
        """Return b of a node under a grid, (n_rows, n_columns, ...); see `ReferenceActivations`."""
        return self.reference.under(
            node, rows, columns, self.patch.axes, derive=derive, outside=outside, dtype=dtype
        )


DifferenceRule = Callable[[DeltaCall], Any]
"""Returns what a call gives (a patch, values, or a plain object), or None where a patch cannot
stay a patch: the call mixes all positions, or uses an option that the rule does not know."""
