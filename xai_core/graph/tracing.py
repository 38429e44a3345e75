"""A model as a graph of calls, made ready for many passes: traced, frozen, batch norms folded."""

import copy
import threading
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torchvision.ops import stochastic_depth

from xai_core.errors import ModelError, NotCopiedError, UntraceableError

_IDENTITIES = (nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout)
TRACING = threading.Lock()
"""Held while a model's code runs on symbols, which changes PyTorch for the whole process."""


class NormRelu(nn.Module):
    """A batch norm in eval mode and the ReLU behind it, as one layer.

    Args:
        norm: The batch norm.
    """

    def __init__(self, norm: nn.BatchNorm2d) -> None:
        super().__init__()
        self.norm = norm

    @property
    def scale(self) -> Tensor:
        """By what the norm multiplies, (1, C, 1, 1)."""
        return scale_of(self.norm)

    def forward(self, x: Tensor) -> Tensor:
        """Return max(norm(x), 0); x is (N, C, H, W)."""
        return F.relu(self.norm(x), inplace=True)

    def negative_part(self, x: Tensor) -> Tensor:
        """Return min(norm(x), 0)."""
        normed: Tensor = self.norm(x)
        return normed.clamp_max(0)

    def minus_positive_part(self, x: Tensor) -> Tensor:
        """Return -max(norm(x), 0)."""
        return -self.forward(x)


def scale_of(norm: nn.BatchNorm2d) -> Tensor:
    """Return by what a batch norm in eval mode multiplies, (1, C, 1, 1)."""
    if norm.running_var is None:
        raise ModelError("a batch norm without running statistics has no fixed scale")
    scale = torch.rsqrt(norm.running_var + norm.eps)
    return (scale if norm.weight is None else scale * norm.weight).view(1, -1, 1, 1)


def prepare(model: nn.Module) -> fx.GraphModule:
    """Return an equal copy of a model in eval mode, ready for many passes.

    The copy shares nothing with the model: its parameters are frozen, each batch norm that follows
    a convolution is folded into it, no layer works in place, layers that do nothing in eval mode
    are gone, and weights lie channels last.

    Raises:
        UntraceableError: The model branches on values, or writes in place outside its layers.
        NotCopiedError: It carries hooks that a copy would call, or runs in another format.
    """
    refuse_hooks(model)
    tracer = _Tracer()
    try:
        with TRACING:
            graph = tracer.trace(model)
        traced = copy.deepcopy(fx.GraphModule(tracer.root, graph))
    except NotCopiedError:
        raise
    # Tracing runs the model's own code, which may fail on a symbolic input in any way.
    except Exception as exc:
        raise UntraceableError(f"the model cannot be traced: {exc}") from exc
    _refuse_writes(traced.graph)
    return make_ready(traced)


def refuse_hooks(model: nn.Module) -> None:
    """Refuse a model with forward hooks.

    Raises:
        NotCopiedError: A copy would call them.
    """
    for name, module in model.named_modules():
        if module._forward_hooks or module._forward_pre_hooks:
            raise NotCopiedError(f"{name or 'the model'} carries forward hooks")


def make_ready(traced: fx.GraphModule) -> fx.GraphModule:
    """Make a traced model, which shares nothing with its original, ready for many passes."""
    _make_out_of_place(traced)
    _drop_identities(traced)
    _fold_batch_norms(traced)
    _join_norms_and_relus(traced)
    _nest_concatenations(traced)
    traced.graph.lint()
    traced.delete_all_unused_submodules()
    traced.recompile()
    traced.requires_grad_(requires_grad=False)
    return traced.eval().to(memory_format=torch.channels_last)


def module_of(traced: fx.GraphModule, node: fx.Node) -> nn.Module | None:
    """Return the layer that a node calls, or None when it calls something else."""
    return traced.get_submodule(str(node.target)) if node.op == "call_module" else None


class _Tracer(fx.Tracer):
    """Traces in one thread while others go on calling their models.

    Tracing replaces `nn.Module.__call__` for the whole process; calls from other threads are
    passed through here.
    """

    def __init__(self) -> None:
        super().__init__()
        self._thread = threading.get_ident()

    def call_module(
        self,
        m: nn.Module,
        forward: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        if threading.get_ident() != self._thread:
            return forward(*args, **kwargs)
        return super().call_module(m, forward, args, kwargs)

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, Any]) -> Any:
        if threading.get_ident() != self._thread:
            return attr_val
        return super().getattr(attr, attr_val, parameter_proxy_cache)


def _refuse_writes(graph: fx.Graph) -> None:
    """Refuse methods and functions such as `add_`: who else reads what they write is not known.

    Operators such as `+=` are no such case: a tracer writes them down as `+`.
    """
    for node in graph.nodes:
        name = node.target if node.op == "call_method" else getattr(node.target, "__name__", "")
        writes = name.endswith("_") and not name.endswith("__")
        is_operator = name in fx.graph.inplace_methods
        if is_operator or (writes and node.op in {"call_method", "call_function"}):
            raise UntraceableError(f"the model writes in place ({name})")


def _make_out_of_place(traced: fx.GraphModule) -> None:
    for module in traced.modules():
        if hasattr(module, "inplace"):
            setattr(module, "inplace", False)  # noqa: B010 - layers do not declare it
    for node in traced.graph.nodes:
        if node.kwargs.get("inplace"):
            node.kwargs = {**node.kwargs, "inplace": False}


def _drop_identities(traced: fx.GraphModule) -> None:
    for node in list(traced.graph.nodes):
        is_idle_layer = isinstance(module_of(traced, node), _IDENTITIES)
        if is_idle_layer or node.target is stochastic_depth:
            node.replace_all_uses_with(node.args[0])
            traced.graph.erase_node(node)


def _fold_batch_norms(traced: fx.GraphModule) -> None:
    """Fold each batch norm into the convolution before it, where nobody else reads that one."""
    n_calls: dict[object, int] = {}
    for node in traced.graph.nodes:
        n_calls[node.target] = n_calls.get(node.target, 0) + 1
    for node in list(traced.graph.nodes):
        norm, before = module_of(traced, node), node.args[0] if node.args else None
        if type(norm) is not nn.BatchNorm2d or norm.running_mean is None:
            continue
        if not isinstance(before, fx.Node) or len(before.users) > 1 or n_calls[before.target] > 1:
            continue
        conv = module_of(traced, before)
        if type(conv) is nn.Conv2d:
            traced.set_submodule(str(before.target), _fused(conv, norm))
            node.replace_all_uses_with(before)
            traced.graph.erase_node(node)


def _fused(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> nn.Module:
    """Return one convolution for both, each weight rounded once: deep networks amplify that."""
    exact = fuse_conv_bn_eval(copy.deepcopy(conv).double(), copy.deepcopy(norm).double())
    return exact.to(conv.weight.dtype)


def _join_norms_and_relus(traced: fx.GraphModule) -> None:
    """Make one layer of each remaining batch norm and the ReLU that alone reads it."""
    for node in list(traced.graph.nodes):
        before = node.args[0] if node.args else None
        if not isinstance(before, fx.Node) or len(before.users) > 1:
            continue
        is_relu = type(module_of(traced, node)) is nn.ReLU or node.target in {F.relu, torch.relu}
        norm = module_of(traced, before)
        if is_relu and type(norm) is nn.BatchNorm2d and norm.running_var is not None:
            traced.add_submodule(name := f"{before.name}_relu", NormRelu(norm))
            before.target = name
            node.replace_all_uses_with(before)
            traced.graph.erase_node(node)


def _nest_concatenations(traced: fx.GraphModule) -> None:
    """Let each concatenation that begins like an earlier one add to that one's result."""
    earlier: dict[tuple[object, ...], fx.Node] = {}
    for node in list(traced.graph.nodes):
        if node.target not in {torch.cat, torch.concat} or not isinstance(node.args[0], list):
            continue
        parts, *dim = node.args
        for n_parts in range(len(parts) - 1, 0, -1):
            beginning = earlier.get((*parts[:n_parts], *dim, *node.kwargs.items()))
            if beginning is not None:
                node.update_arg(0, [beginning, *parts[n_parts:]])
                break
        earlier[*parts, *dim, *node.kwargs.items()] = node


def split_affine_stem(traced: fx.GraphModule) -> tuple[nn.Module, fx.GraphModule]:
    """Take the first convolution off a prepared model, where nothing else reads the image.

    Returns:
        The stem, an affine layer (an identity, where the model does not begin with one), and the
        rest of the model, which takes what the stem gives. Both share the given model's layers;
        it is left as it is.
    """
    rest = fx.GraphModule(traced, copy.deepcopy(traced.graph)).eval()
    image = next(node for node in rest.graph.nodes if node.op == "placeholder")
    first = next(iter(image.users))
    stem = module_of(rest, first)
    if type(stem) is not nn.Conv2d or len(image.users) > 1:
        return nn.Identity(), rest
    first.replace_all_uses_with(image)
    rest.graph.erase_node(first)
    rest.recompile()
    return stem, rest


def pool_before_relu(traced: fx.GraphModule) -> None:
    """Let each max pooling that alone reads a ReLU come before it: fewer values, equal ones."""
    for node in traced.graph.nodes:
        before = node.args[0] if node.args else None
        if not isinstance(before, fx.Node) or len(before.users) > 1:
            continue
        if type(module_of(traced, node)) is nn.MaxPool2d and (
            type(module_of(traced, before)) is nn.ReLU
        ):
            node.target, before.target = before.target, node.target
    traced.recompile()
