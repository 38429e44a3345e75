"""Interprets a graph once for each tile of perturbations, with patches as far as they go."""

import operator
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, fx, nn

from xai_core.graph.interpreter import Interpreter, Values, calls_of
from xai_core.graph.tracing import module_of
from xai_core.incremental.call import DeltaCall
from xai_core.incremental.concatenation import TAKE_PARTS, LazyConcatenation, merge
from xai_core.incremental.dense import run_dense
from xai_core.incremental.packed_weights import PackedWeights
from xai_core.incremental.patch import Patch
from xai_core.incremental.perturbations import Perturbations
from xai_core.incremental.reference import ReferenceActivations
from xai_core.incremental.rules import RULES
from xai_core.incremental.span import Span
from xai_core.runtime.chunks import Part


class DeltaEngine(Interpreter):
    """Scores perturbed images by what the perturbations change.

    It interprets the graph with patches in the place of values: each call is made by its difference
    rule, or where it has none, or a patch cannot stay a patch, from values b + d.

    Args:
        traced: The model, from `xai_core.graph.tracing.prepare`.
        perturbations: What is covered, of which image.
    """

    def __init__(self, traced: fx.GraphModule, perturbations: Perturbations[Any]) -> None:
        super().__init__(traced)
        image = perturbations.image.contiguous(memory_format=torch.channels_last)
        self._reference = ReferenceActivations(traced, image)
        self._perturbations = perturbations
        self._weights = PackedWeights()

    @property
    def clean_scores(self) -> Tensor:
        """The model's scores for the clean image, (1, K)."""
        scores: Tensor = self._reference[self._output]
        return scores

    def multiplications(self, tile: Part) -> dict[fx.Node, int]:
        """Count, by passing a tile, what each layer multiplies differences by, from the image on.

        Layers that get dense values are left out: whether they do, where patches have grown over
        most of their maps, depends on which layers round.
        """
        values, found = Values(), {}
        for node in self.steps(tile, values):
            layer = module_of(self._traced, node)
            if isinstance(layer, nn.Conv2d | nn.Linear) and isinstance(values[node], Patch):
                found[node] = values[node].values.numel() * layer.weight[0].numel()
        return found

    @property
    def layers(self) -> list[fx.Node]:
        """The layers that multiply by weights, from the image on."""
        calls = calls_of(self._traced)
        return [call.node for call in calls if isinstance(call.layer, nn.Conv2d | nn.Linear)]

    def round_products(self, layers: Sequence[fx.Node], dtype: torch.dtype) -> None:
        """Let these layers, and no others, multiply differences in another format from now on.

        Args:
            layers: Some of `layers`.
            dtype: The format, of fewer bits than the model's.
        """
        self._weights.round(layers, dtype)

    def carried_bytes(self, tile: Part) -> int:
        """Measure, by passing a tile, the most that what is carried for it takes at once."""
        values = Values()
        return max(
            sum(_n_bytes(values[node]) for node in values if self._reference.varies(node))
            for _ in self.steps(tile, values)
        )

    def _give(self, node: fx.Node, image: Any, values: Values) -> Any:
        """Return what a node gives for a tile of perturbed images, which stands for the image."""
        if not self._reference.varies(node):
            return self._reference[node]
        if node.op == "placeholder":
            return self._perturbations.difference(image)
        if node.op == "output":
            return self._densify(node.args[0], values)
        layer = module_of(self._traced, node)
        call = DeltaCall(node, layer, node.args, node.kwargs, self._reference, self._weights)
        if call.kind not in TAKE_PARTS:
            values.update({source: merge(values[source]) for source in node.all_input_nodes})
        args, kwargs = values.at(node.args), values.at(node.kwargs)
        rule = RULES.get(call.kind)
        if rule is not None and _holds_patch(args) and not _holds_patch(kwargs.values()):
            result = rule(replace(call, args=args, kwargs=kwargs))
            if result is not None:
                return result
        args, kwargs = self._densify(node.args, values), self._densify(node.kwargs, values)
        if isinstance(layer, nn.ReLU | nn.GELU) and self._is_scratch(node.args[0]):
            return _overwrite(layer, args[0])
        return run_dense(replace(call, args=args, kwargs=kwargs))

    def _is_scratch(self, node: Any) -> bool:
        """Whether a node's values are new memory that only one other node reads."""
        is_layer = isinstance(module_of(self._traced, node), nn.Conv2d | nn.Linear)
        return (is_layer or node.target is operator.add) and len(node.users) == 1

    def _densify(self, arguments: Any, values: Values) -> Any:
        """Return arguments with b + d in the place of nodes; it is kept for their other readers."""

        def dense(node: fx.Node) -> Any:
            values[node] = _materialise(self._reference[node], values[node])
            return values[node]

        return fx.node.map_arg(arguments, dense)


def _materialise(reference: Any, carried: Any) -> Any:
    carried = merge(carried)
    if isinstance(carried, tuple) and _holds_patch(carried):
        return tuple(map(_materialise, reference, carried))
    if not isinstance(carried, Patch):
        return carried
    full = (Span.full(len(span.starts), span.length) for span in carried.spans)
    return reference + carried.on(*full)


def _overwrite(layer: nn.ReLU | nn.GELU, values: Tensor) -> Tensor:
    """Return what a layer gives, in the memory of what it reads."""
    if isinstance(layer, nn.ReLU):
        return values.relu_()
    found: Tensor = torch.ops.aten.gelu_(values, approximate=layer.approximate)
    return found


def _holds_patch(values: Any) -> bool:
    return any(
        isinstance(value, Patch | LazyConcatenation)
        or (isinstance(value, tuple | list) and _holds_patch(value))
        for value in values
    )


def _n_bytes(carried: Any) -> int:
    """Return the bytes of what is carried, however it is."""
    if isinstance(carried, tuple | list):
        return sum(map(_n_bytes, carried))
    if isinstance(carried, LazyConcatenation):
        return sum(map(_n_bytes, carried.parts))
    values = carried.values if isinstance(carried, Patch) else carried
    return values.nbytes if isinstance(values, Tensor) else 0
