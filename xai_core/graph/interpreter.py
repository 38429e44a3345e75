"""A model run call by call over its graph, so that rules may say what a call gives.

One interpreter for all who need that: methods that give autograd other slopes, the reference
activations of an image, and the engine that carries differences. No hook is set and nothing is
patched.
"""

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F
from torchvision.models.swin_transformer import _patch_merging_pad
from torchvision.ops import Permute

from xai_core.graph.tracing import module_of


@dataclass(frozen=True)
class Call:
    """One call of a model's graph, with the values that reach it.

    Attributes:
        node: Where it stands in the graph.
        layer: The module it calls, if it calls one.
        args: Its positional arguments.
        kwargs: Its keyword arguments.
    """

    node: fx.Node
    layer: nn.Module | None
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    @property
    def kind(self) -> object:
        """The layer's type, the function, or the method's name."""
        return self.node.target if self.layer is None else type(self.layer)

    @property
    def name(self) -> str:
        """What it is called in a message."""
        kind = str(getattr(self.kind, "__name__", self.kind))
        return f"{kind} ({self.node.target if self.layer is not None else self.node.name})"

    def option(self, index: int, name: str, default: object = None) -> Any:
        """Return an attribute of the layer, or an argument of the function."""
        if self.layer is not None:
            return getattr(self.layer, name, default)
        return self.args[index] if index < len(self.args) else self.kwargs.get(name, default)

    def run(self, *inputs: Any) -> Any:
        """Make the call, with other values for the first of its positional arguments if given."""
        args = (*inputs, *self.args[len(inputs) :])
        if self.layer is not None:
            return self.layer(*args, **self.kwargs)
        if self.node.op == "call_method":
            return getattr(args[0], str(self.node.target))(*args[1:], **self.kwargs)
        return self.node.target(*args, **self.kwargs)  # type: ignore[operator]  # a function


ACTIVATIONS = frozenset(
    {
        *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish),
        *(nn.PReLU, nn.Softplus, nn.Sigmoid, nn.Tanh, nn.Hardtanh, nn.Hardswish, nn.Hardsigmoid),
        *(F.relu, F.relu6, F.leaky_relu, F.elu, F.selu, F.celu, F.gelu, F.silu, F.mish),
        *(F.softplus, F.sigmoid, F.tanh, F.hardtanh, F.hardswish, F.hardsigmoid),
        *(torch.relu, torch.selu, torch.celu, torch.sigmoid, torch.tanh, torch.clamp),
        *("relu", "sigmoid", "tanh", "clamp"),
    }
)
"""Kinds of calls that map each value of their first argument by itself."""

REARRANGING = frozenset(
    {
        *(torch.cat, torch.concat, torch.stack, F.pad, nn.Flatten, torch.flatten, "flatten"),
        *(torch.reshape, "reshape", "view", torch.squeeze, "squeeze", torch.unsqueeze, "unsqueeze"),
        *(torch.permute, "permute", Permute, torch.transpose, "transpose", torch.swapaxes),
        *("swapaxes", torch.chunk, "chunk", torch.split, "split", "expand", "repeat", torch.roll),
        *("roll", "contiguous", "clone", torch.clone, "to", operator.getitem, nn.Identity),
        *(nn.Unflatten, nn.ZeroPad2d, nn.PixelShuffle, _patch_merging_pad),
        *(F.dropout, F.dropout2d),  # where they are not idle, two passes differ, and that is found
    }
)
"""Kinds of calls that only move values, repeat them, or leave some out."""

AFFINE = REARRANGING | {
    *(nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.Linear, F.conv2d, F.linear),
    *(nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.AvgPool2d, F.avg_pool2d),
    *(nn.AdaptiveAvgPool2d, F.adaptive_avg_pool2d, torch.mean, "mean", torch.sum, "sum"),
    *(operator.add, torch.add, "add", operator.sub, torch.sub, "sub"),
    *(operator.neg, torch.neg, "neg", F.interpolate, nn.Upsample),
    *(nn.ReflectionPad2d, nn.ReplicationPad2d),
}
"""Kinds of calls whose own gradient is exact: sums of their arguments with fixed weights."""


def scale(call: Call, normed: Tensor) -> Tensor:
    """Return what a layer norm or group norm makes of normed values by its weight and bias."""
    is_by_channel = call.kind in GROUP_NORMS
    for index, name, apply in ((2, "weight", torch.mul), (3, "bias", torch.add)):
        value = call.option(index, name)
        if value is not None:
            value = value.view(-1, *[1] * (normed.dim() - 2)) if is_by_channel else value
            normed = apply(normed, value)
    return normed


GROUP_NORMS = frozenset({nn.GroupNorm, F.group_norm})
"""Kinds of calls that normalise groups of channels, each with all its places."""


class Values(dict[fx.Node, Any]):
    """What nodes of a graph gave in one run."""

    def at(self, arguments: Any) -> Any:
        """Return a node's arguments with values in the place of nodes."""
        return fx.node.map_arg(arguments, self.__getitem__)


Rule = Callable[[Call], Any]
"""Returns what a call gives."""

Rules = Mapping[object, Rule]
"""Rules by `Call.kind`; a subclass of a layer may do something else and has a kind of its own."""


def by_kind(rules: Rules) -> Rule:
    """Return what makes each call by the rule of its kind, and runs those that have none."""
    return lambda call: rules.get(call.kind, Call.run)(call)


class Interpreter:
    """Runs a graph node by node; values live in the run alone, so threads may share it.

    Args:
        traced: A prepared model; it is not changed.
        make: Asked for the result of every call.
    """

    def __init__(self, traced: fx.GraphModule, make: Rule = Call.run) -> None:
        self._traced = traced
        self._make = make
        self._image = image_of(traced.graph)
        self._output = traced.graph.output_node()
        self._spent_after = _last_uses(traced.graph)

    def scores(self, image: Any) -> Tensor:
        """Return the model's class scores, (N, K); what nobody needs any more is let go.

        Args:
            image: What the graph takes, (N, C, H, W).
        """
        values = Values()
        for _ in self.steps(image, values):
            pass
        scores: Tensor = values[self._output]
        return scores

    def values(self, image: Any) -> Values:
        """Return what every node gives for an image, (N, C, H, W)."""
        values = Values()
        for node in self._traced.graph.nodes:
            values[node] = self._give(node, image, values)
        return values

    def steps(self, image: Any, values: Values) -> Iterator[fx.Node]:
        """Go from node to node, yielding each, with what is still needed in `values`."""
        for node in self._traced.graph.nodes:
            values[node] = self._give(node, image, values)
            yield node
            for spent in self._spent_after.get(node, ()):
                del values[spent]

    def _give(self, node: fx.Node, image: Any, values: Values) -> Any:
        """Return what a node gives."""
        if node.op == "placeholder":
            return image if node is self._image else node.args[0]
        if node.op == "get_attr":
            return _attribute(self._traced, str(node.target))
        if node.op == "output":
            return values.at(node.args[0])
        layer = module_of(self._traced, node)
        return self._make(Call(node, layer, values.at(node.args), values.at(node.kwargs)))


def image_of(graph: fx.Graph) -> fx.Node:
    """Return the node through which the image enters: the first of a graph's inputs."""
    image: fx.Node = next(node for node in graph.nodes if node.op == "placeholder")
    return image


def nodes_from_image(graph: fx.Graph) -> frozenset[fx.Node]:
    """Return the nodes whose values follow from the image."""
    found = {image_of(graph)}
    for node in graph.nodes:
        if found.intersection(node.all_input_nodes):
            found.add(node)
    return frozenset(found)


def depends_on_image(value: object) -> bool:
    """Whether a value of a run follows from the image; a prepared model's weights are frozen."""
    return any(map(is_moving, leaves(value)))


def is_moving(value: object) -> TypeGuard[Tensor]:
    """Whether a value is a tensor that follows from the image."""
    return isinstance(value, Tensor) and value.requires_grad


def leaves(value: object) -> Iterator[object]:
    """Yield what lists and tuples hold, at any depth."""
    if isinstance(value, tuple | list):
        for each in value:
            yield from leaves(each)
    else:
        yield value


def calls_of(traced: fx.GraphModule) -> list[Call]:
    """Return the calls of a graph in their order, with nodes in the place of values."""
    return [
        Call(node, module_of(traced, node), node.args, dict(node.kwargs))
        for node in traced.graph.nodes
        if node.op.startswith("call_")
    ]


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


def _attribute(owner: object, path: str) -> Any:
    for name in path.split("."):
        owner = getattr(owner, name)
    return owner
