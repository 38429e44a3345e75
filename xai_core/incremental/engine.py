"""Walks a graph once for each tile of covers, carrying patches as far as they go."""

import operator
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn

from xai_core.graph.tracing import module_of
from xai_core.incremental.call import Call
from xai_core.incremental.clean import CleanMaps
from xai_core.incremental.covers import Covers
from xai_core.incremental.joined import TAKE_PARTS, Joined, merged
from xai_core.incremental.narrowing import narrowed
from xai_core.incremental.patch import Patch
from xai_core.incremental.products import Products
from xai_core.incremental.rules import RULES
from xai_core.incremental.span import Span
from xai_core.incremental.whole import called
from xai_core.runtime.chunks import Part


class DeltaEngine:
    """Scores covered images by what the covers change.

    Args:
        traced: The model, from `xai_core.graph.tracing.prepared`.
        covers: What is covered, of which image.
    """

    def __init__(self, traced: fx.GraphModule, covers: Covers[Any]) -> None:
        image = covers.image.contiguous(memory_format=torch.channels_last)
        self._traced, self._maps = narrowed(traced, CleanMaps.of(traced, image))
        self._covers = covers
        self._spent_after = _last_uses(self._traced.graph)
        self._products = Products()

    @property
    def clean_scores(self) -> Tensor:
        """The model's scores for the clean image, (1, K)."""
        scores: Tensor = self._maps[self._traced.graph.output_node()]
        return scores

    def multiplications(self, tile: Part) -> dict[fx.Node, int]:
        """Count, by passing a tile, what each layer multiplies differences by, from the image on.

        Layers that get whole values are left out: whether they do, where patches have grown over
        most of their maps, depends on which layers round.
        """
        held: dict[fx.Node, Any] = {}
        found = {}
        for node in self._carry(tile, held):
            layer = module_of(self._traced, node)
            if isinstance(layer, nn.Conv2d | nn.Linear) and isinstance(held[node], Patch):
                found[node] = held[node].values.numel() * layer.weight[0].numel()
        return found

    @property
    def layers(self) -> list[fx.Node]:
        """The layers that multiply by weights, from the image on."""
        pairs = ((node, module_of(self._traced, node)) for node in self._traced.graph.nodes)
        return [node for node, layer in pairs if isinstance(layer, nn.Conv2d | nn.Linear)]

    def round_products(self, layers: Sequence[fx.Node], dtype: torch.dtype) -> None:
        """Let these layers, and no others, multiply differences in another format from now on.

        Args:
            layers: Some of `layers`.
            dtype: The format, of fewer bits than the model's.
        """
        self._products.round(layers, dtype)

    def scores(self, tile: Part) -> Tensor:
        """Return the model's scores for a tile of covered images, (len(tile), K)."""
        held: dict[fx.Node, Any] = {}
        for _ in self._carry(tile, held):
            pass
        last: Any = self._traced.graph.output_node().args[0]
        scores: Tensor = self._values(last, held)
        return scores

    def carried_bytes(self, tile: Part) -> int:
        """Measure, by passing a tile, the most that what is carried for it takes at once."""
        held: dict[fx.Node, Any] = {}
        return max(
            sum(_n_bytes(held[node]) for node in held if self._maps.varies(node))
            for _ in self._carry(tile, held)
        )

    def _carry(self, tile: Part, held: dict[fx.Node, Any]) -> Iterator[fx.Node]:
        """Carry a tile from node to node, yielding each, with what is still needed in `held`."""
        for node in self._traced.graph.nodes:
            if not self._maps.varies(node):
                held[node] = self._maps[node]
            elif node.op == "placeholder":
                held[node] = self._covers.change(tile)
            elif node.op == "output":
                return
            else:
                held[node] = self._carried(node, held)
            yield node
            for spent in self._spent_after.get(node, ()):
                del held[spent]

    def _carried(self, node: fx.Node, held: dict[fx.Node, Any]) -> Any:
        """Return what a node gives: by its rule where it has one, else from values."""
        layer = module_of(self._traced, node)
        kind = node.target if layer is None else type(layer)
        if kind not in TAKE_PARTS:
            held.update({source: merged(held[source]) for source in node.all_input_nodes})
        args = fx.node.map_arg(node.args, held.__getitem__)
        kwargs = fx.node.map_arg(node.kwargs, held.__getitem__)
        call = Call(node, layer, args, kwargs, self._maps, self._products)
        rule = RULES.get(kind)
        if rule is not None and _holds_patch(args) and not _holds_patch(kwargs.values()):
            result = rule(call)
            if result is not None:
                return result
        values: Any = fx.node.map_arg(node.args, lambda source: self._values(source, held))
        kwargs = fx.node.map_arg(node.kwargs, lambda source: self._values(source, held))
        if isinstance(layer, nn.ReLU | nn.GELU) and self._is_scratch(node.args[0]):
            return _overwritten(layer, values[0])
        return called(Call(node, layer, values, kwargs, self._maps, self._products))

    def _is_scratch(self, node: Any) -> bool:
        """Whether a node's values are new memory that only one other node reads."""
        is_layer = isinstance(module_of(self._traced, node), nn.Conv2d | nn.Linear)
        return (is_layer or node.target is operator.add) and len(node.users) == 1

    def _values(self, node: fx.Node, held: dict[fx.Node, Any]) -> Any:
        """Return b + d over the whole map, and keep it for the node's other readers."""
        held[node] = _materialised(self._maps[node], held[node])
        return held[node]


def _materialised(clean: Any, carried: Any) -> Any:
    carried = merged(carried)
    if isinstance(carried, tuple) and _holds_patch(carried):
        return tuple(map(_materialised, clean, carried))
    if not isinstance(carried, Patch):
        return carried
    whole = (Span.whole(len(span.starts), span.length) for span in carried.spans)
    return clean + carried.on(*whole)


def _overwritten(layer: nn.ReLU | nn.GELU, values: Tensor) -> Tensor:
    """Return what a layer gives, in the memory of what it reads."""
    if isinstance(layer, nn.ReLU):
        return values.relu_()
    found: Tensor = torch.ops.aten.gelu_(values, approximate=layer.approximate)
    return found


def _holds_patch(values: Any) -> bool:
    return any(
        isinstance(value, Patch | Joined)
        or (isinstance(value, tuple | list) and _holds_patch(value))
        for value in values
    )


def _n_bytes(carried: Any) -> int:
    """Return the bytes of what is carried, however it is."""
    if isinstance(carried, tuple | list):
        return sum(map(_n_bytes, carried))
    if isinstance(carried, Joined):
        return sum(map(_n_bytes, carried.parts))
    values = carried.values if isinstance(carried, Patch) else carried
    return values.nbytes if isinstance(values, Tensor) else 0


def _last_uses(graph: fx.Graph) -> dict[fx.Node, list[fx.Node]]:
    """Return, for each node, whose values nobody needs after it."""
    last: dict[fx.Node, fx.Node] = {}
    for node in graph.nodes:
        for source in node.all_input_nodes:
            last[source] = node
    spent: dict[fx.Node, list[fx.Node]] = {}
    for source, node in last.items():
        spent.setdefault(node, []).append(source)
    return spent
