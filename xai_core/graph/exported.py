"""Models that `torch.fx` cannot trace, by way of `torch.export`.

Export runs a model's own code on one size of image, so branches on sizes, loops and arguments of
any kind are decided, and writes in place become functions.
"""

import copy
import operator
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch._ops import OpOverload
from torch.export import Dim, ExportedProgram
from torch.export.graph_signature import InputKind, OutputKind

from xai_core.errors import ModelError, UntraceableError
from xai_core.graph import aten
from xai_core.graph.tracing import TRACING, make_ready, refuse_hooks
from xai_core.runtime.precision import tolerated

_TOLERANCE = 1e-4  # of the score's size; the copy differs from its model by rounding only
_N_IMAGES = (1, 3)  # that are tried; the model is exported with two


def export(model: nn.Module, image: Tensor) -> fx.GraphModule:
    """Return an equal copy of a model for images of one size, else as `tracing.prepare`.

    Takes seconds. The copy takes any number of images, and is compared with the model.

    Args:
        model: In eval mode.
        image: (1, C, H, W), of the size, type and device that the copy shall take.

    Raises:
        UntraceableError: The model branches on values, gives more than class scores, writes to its
            own buffers, mixes the images of a batch, or carries hooks.
    """
    refuse_hooks(model)
    try:
        with TRACING, warnings.catch_warnings(), torch.enable_grad():
            warnings.simplefilter("ignore")
            traced = _written_in_layers(_program(model, image))
        ready = make_ready(traced)
        _check(model, ready, image)
    # Exporting runs the model's own code, which may fail on a symbolic input in any way.
    except Exception as exc:
        reason = str(exc).strip().partition("\n")[0]
        raise UntraceableError(f"the model cannot be exported: {reason}") from exc
    return ready


class _OneInput(nn.Module):
    """A model with a plain signature, whatever its own is."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: Tensor) -> Any:
        return self.model(image)


def _program(model: nn.Module, image: Tensor) -> ExportedProgram:
    # Export puts stand-ins in the place of a model's weights, which other threads would meet.
    own = copy.deepcopy(model)
    for weight in own.parameters():
        # Attention takes a short cut that has no gradient where no weight needs one.
        weight.requires_grad_(weight.is_floating_point())
    program = torch.export.export(
        _OneInput(own).eval(),
        (image.detach().repeat(2, 1, 1, 1),),
        dynamic_shapes=({0: Dim("n_images")},),
        strict=False,
    )
    functional: ExportedProgram = program.run_decompositions({})  # writes become functions
    return functional


def _check(model: nn.Module, ready: fx.GraphModule, image: Tensor) -> None:
    """Compare with the model itself, for other numbers of images than the exported one."""
    images = torch.cat([image.detach(), image.detach().flip(3), image.detach().flip(2)])
    for n_images in _N_IMAGES:
        with torch.no_grad():
            own, copied = model(images[:n_images].clone()), ready(images[:n_images])
        miss = float((own - copied).abs().max())
        if not miss <= tolerated(_TOLERANCE, image.device) * float(own.abs().max()):
            raise ModelError(f"the copy's scores for {n_images} images miss by {miss:.3g}")


def _written_in_layers(program: ExportedProgram) -> fx.GraphModule:
    """Return an exported program as a graph that calls PyTorch's layers and functions.

    Args:
        program: Takes one tensor; without writes in place.

    Raises:
        ModelError: It gives something else than one tensor, writes to buffers, or calls something
            that cannot be copied.
    """
    writer = _Writer(program)
    for node in program.graph.nodes:
        writer.write(node)
    return fx.GraphModule(writer.root, writer.graph)


class _Writer:
    """Writes a program's nodes, one after the other."""

    def __init__(self, program: ExportedProgram) -> None:
        signature = program.graph_signature
        kinds = [spec.kind for spec in signature.output_specs]
        if kinds != [OutputKind.USER_OUTPUT] or not program.call_spec.out_spec.is_leaf():
            raise ModelError("it gives more than class scores, or writes to its buffers")
        kept = {**program.state_dict, **program.constants}
        self.root = nn.Module().eval()
        self.graph = fx.Graph()
        self._weights: dict[str, Tensor] = {
            spec.arg.name: kept[spec.target].detach()
            for spec in signature.input_specs
            if spec.kind is not InputKind.USER_INPUT and spec.target is not None
        }
        self._written: dict[fx.Node, Any] = {}
        self._layers: dict[object, str] = {}

    def write(self, node: fx.Node) -> None:
        """Write one node of the program."""
        if node.op == "placeholder":
            if node.name not in self._weights:
                self._written[node] = self.graph.placeholder("image")
        elif node.op == "output":
            self.graph.output(self._given(node.args[0])[0])
        elif isinstance(node.target, OpOverload):
            self._write_operation(node, node.target)
        elif node.target is operator.getitem and _is_norm(node.args[0]):
            self._written[node] = self._given(node.args[0])
        elif getattr(node.target, "__module__", "") == operator.add.__module__:
            self._call(node, node.target, node.args, node.kwargs)
        else:
            raise ModelError(f"a copy cannot call {node.target}")

    def _write_operation(self, node: fx.Node, operation: OpOverload) -> None:
        if operation._schema.is_mutable or operation is torch.ops.aten.as_strided.default:
            raise ModelError(f"a copy cannot call {operation}")
        if not operation._schema.returns:
            return  # a check of what was assumed; callers compare scores
        first, options = _options(node, operation)
        build = aten.layer_of(operation, first)
        if build is not None and self._write_layer(node, build, first, options):
            return
        if operation in aten.SAME:
            self._call(node, aten.SAME[operation], node.args, node.kwargs)
        elif operation in aten.OTHERWISE:
            function, *args = aten.OTHERWISE[operation](first, **options)
            self._call(node, function, tuple(args), {})
        else:
            self._call(node, operation, node.args, node.kwargs)

    def _write_layer(
        self, node: fx.Node, build: Callable[..., nn.Module], source: Any, options: dict[str, Any]
    ) -> bool:
        """Write a layer, if its weights are the model's own."""
        sources = {name: value for name, value in options.items() if isinstance(value, fx.Node)}
        if any(value.name not in self._weights for value in sources.values()):
            return False
        key = (node.target, repr(options)) if sources else node
        if key not in self._layers:
            weights = {name: self._weights[value.name] for name, value in sources.items()}
            self._layers[key] = node.name
            self.root.add_module(node.name, build(**{**options, **weights}).eval())
        self._written[node] = self.graph.call_module(self._layers[key], (self._given(source),))
        return True

    def _call(self, node: fx.Node, function: Any, args: Any, kwargs: Any) -> None:
        args, kwargs = self._given(args), self._given(kwargs)
        if function is aten.itself:
            self._written[node] = args[0]
        elif isinstance(function, str):
            self._written[node] = self.graph.call_method(function, args, kwargs)
        else:
            self._written[node] = self.graph.call_function(function, args, kwargs)

    def _given(self, arguments: Any) -> Any:
        """Return a program's arguments with what was written in the place of its nodes."""
        return fx.node.map_arg(arguments, self._value)

    def _value(self, node: fx.Node) -> Any:
        if node not in self._written:
            self.root.register_buffer(node.name, self._weights[node.name])
            self._written[node] = self.graph.get_attr(node.name)
        return self._written[node]


def _is_norm(node: object) -> bool:
    return isinstance(node, fx.Node) and node.target is aten.NORM


def _options(node: fx.Node, operation: OpOverload) -> tuple[Any, dict[str, Any]]:
    """Return the first argument, and all others by name, those left out too."""
    declared = operation._schema.arguments
    given = dict(zip((argument.name for argument in declared), node.args, strict=False))
    given |= node.kwargs
    names = [argument.name for argument in declared[1:]]
    defaults = {argument.name: argument.default_value for argument in declared[1:]}
    first = given.get(declared[0].name) if declared else None
    return first, {name: given.get(name, defaults[name]) for name in names}
