"""Rules for what acts at each position by itself.

b is the reference activation, d the difference; d' = f(b + d) - f(b) is 0 wherever d is, so the
rectangle stays as it is.
"""

from collections.abc import Iterator
from itertools import product

import torch
from torch import Tensor, nn

from xai_core.graph.tracing import NormRelu, scale_of
from xai_core.incremental.call import DeltaCall
from xai_core.incremental.patch import Patch, add_patches, union
from xai_core.incremental.span import Span, dense_pays

_MUCH = 2**20  # values that no longer fit into a core's own cache


def rectifier(call: DeltaCall) -> Patch:
    """Carry max(b + d, 0) - max(b, 0) as max(d + min(b, 0), -max(b, 0)): two passes over d.

    Why: b = max(b, 0) + min(b, 0), and what is subtracted from a maximum may go into it. What
    rounding b in fewer bits adds to d' stays small beside d: where b counts, |b| < |d|.
    """
    patch = call.patch
    dtype = patch.values.dtype
    result = patch if call.may_write else patch.with_values(torch.empty_like(patch.values))
    for index, rows, columns in _pieces(patch):
        below = call.under(call.source, rows, columns, derive=_negative_part, dtype=dtype)
        floor = call.under(call.source, rows, columns, derive=_minus_positive_part, dtype=dtype)
        risen = result.grid[index]
        torch.add(patch.grid[index], below, out=risen)
        torch.maximum(risen, floor, out=risen)
    return result


def norm_and_rectifier(
    call: DeltaCall, channels: slice = slice(None), place: Tensor | None = None
) -> Patch | None:
    """Carry the rectifier of what the norm gives; d, of some channels, is scaled on the way.

    Why: the norm is n(x) = s x + t, so n(b + d) = n(b) + s d; from there on it is as above.

    Args:
        call: The call.
        channels: Which of the layer's channels the patch is.
        place: Where to write, shaped as the patch; None takes new memory.
    """
    layer, patch = call.layer, call.patch
    if not isinstance(layer, NormRelu) or patch.axes != (2, 3):
        return None
    dtype = patch.values.dtype
    result = patch.with_values(torch.empty_like(patch.values) if place is None else place)
    scale = layer.scale[0, channels].to(dtype)
    for index, rows, columns in _pieces(patch):
        below, floor = (
            call.under(call.source, rows, columns, derive=derive, dtype=dtype)[:, :, channels]
            for derive in (layer.negative_part, layer.minus_positive_part)
        )
        risen = result.grid[index]
        torch.addcmul(below, patch.grid[index], scale, out=risen)
        torch.maximum(risen, floor, out=risen)
    return result


def batch_norm(call: DeltaCall) -> Patch | None:
    """Carry s d: in eval mode the norm is s x + t with fixed s and t, and t drops out."""
    layer, patch = call.layer, call.patch
    if not isinstance(layer, nn.BatchNorm2d) or layer.running_var is None or patch.axes != (2, 3):
        return None
    return patch.with_values(patch.values * scale_of(layer).to(patch.values.dtype))


def linear(call: DeltaCall) -> Patch | None:
    """Carry W d over the last dimension: in W (b + d) + c - (W b + c) the bias drops out."""
    layer, patch = call.layer, call.patch
    if not isinstance(layer, nn.Linear) or patch.values.dim() - 1 in patch.axes:
        return None
    values = call.weights.cast(call.node, patch.values)
    return patch.with_values(call.weights.multiply(layer.weight, values))


def elementwise(call: DeltaCall) -> Patch | None:
    """Carry f(b + d, ...) - f(b, ...) of patches and of constants that are alike everywhere.

    Why: f bends somewhere, so d alone does not say what it gives. A constant that differs by place
    would have to be cut out for each window.
    """
    return _through(call) if _constants_are_even(call) else None


def layer_norm(call: DeltaCall) -> Patch | None:
    """Carry the norm over trailing dimensions that hold no positions.

    Why: mean and variance change with d, but each position has its own; over positions they would
    change the norm of the whole map.
    """
    n_trailing = len(call.option(1, "normalized_shape"))
    is_local = max(call.patch.axes) < call.patch.values.dim() - n_trailing
    return _through(call) if is_local else None


def add(call: DeltaCall) -> Patch | None:
    """Carry the sum of the differences: a sum is linear, and constants drop out."""
    if call.kwargs or not _constants_are_even(call):
        return None
    patches = [arg for arg in call.args if isinstance(arg, Patch)]
    if len(patches) == 1:
        return call.patch.with_view(call.patch.values, call.patch.axes)
    return add_patches(*patches, may_write=call.may_write and len(call.sources) == 2)


def multiply(call: DeltaCall) -> Patch | None:
    """Carry c d, for c (b + d) - c b = c d; a product of patches is carried like any function.

    Why: of (a + d) (b + e) - a b there remain a e + b d + d e, which needs both references.
    """
    if not _constants_are_even(call):
        return None
    if len(call.sources) == 2:
        return _through(call)
    (factor,) = (arg for arg in call.args if not isinstance(arg, Patch))
    return call.patch.with_values(call.patch.values * factor)


def _through(call: DeltaCall) -> Patch | None:
    """Carry f(b + d) - f(b), whatever f is at each position."""
    patches = [arg for arg in call.args if isinstance(arg, Patch)]
    rows, columns = union(patches)
    if dense_pays(rows, columns) and not call.is_rounded:
        return None
    sources = iter(call.sources)

    def occluded(argument: object) -> object:
        if not isinstance(argument, Patch):
            return argument
        return argument.add_reference(call.under(next(sources), rows, columns), rows, columns)

    values = call.run(*map(occluded, call.args))
    result = Patch(values, rows, columns, call.patch.axes)
    result.grid.sub_(call.under(call.node, rows, columns))
    return result


def _constants_are_even(call: DeltaCall) -> bool:
    """Whether all patches share a layout and all else is a number or the same at all positions."""
    axes, n_dims = call.patch.axes, call.patch.values.dim()
    for argument, node in zip(call.args, call.node.args, strict=True):
        if isinstance(argument, Patch):
            if argument.axes != axes or argument.values.dim() != n_dims:
                return False
        elif isinstance(argument, Tensor):
            sizes = (1,) * (n_dims - argument.dim()) + tuple(argument.shape)
            if call.reference.varies(node) or any(sizes[axis] != 1 for axis in axes):
                return False
    return True


def _pieces(patch: Patch) -> Iterator[tuple[tuple[slice, slice], Span, Span]]:
    """Return which windows to take together, and their spans: all where the patch is small.

    On a CPU a second pass over one window finds it in the cache, and what lies under it is a view.
    """
    rows, columns = patch.spans
    if patch.values.numel() < _MUCH or patch.values.device.type != "cpu":
        yield (slice(None), slice(None)), rows, columns
        return
    for row, column in product(range(len(rows.starts)), range(len(columns.starts))):
        index = slice(row, row + 1), slice(column, column + 1)
        yield index, rows.of(index[0]), columns.of(index[1])


def _negative_part(values: Tensor) -> Tensor:
    return values.clamp_max(0)


def _minus_positive_part(values: Tensor) -> Tensor:
    return -values.clamp_min(0)
