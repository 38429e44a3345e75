"""Rules for what acts at each position by itself."""

from collections.abc import Iterator
from itertools import product

import torch
from torch import Tensor, nn

from xai_core.graph.tracing import NormRelu, scale_of
from xai_core.incremental.call import DeltaCall
from xai_core.incremental.patch import Patch, summed, union
from xai_core.incremental.span import Span, mostly_whole

_MUCH = 2**20  # values that no longer fit into a core's own cache


def rectifier(call: DeltaCall) -> Patch:
    """Carry max(b + d, 0) - max(b, 0) as max(d + min(b, 0), -max(b, 0)): two passes over d.

    What rounding b in fewer bits adds to d' stays small beside d: where b counts, |b| < |d|.
    """
    patch = call.patch
    dtype = patch.values.dtype
    result = patch if call.may_write else patch.with_values(torch.empty_like(patch.values))
    for index, rows, columns in _pieces(patch):
        below = call.clean(call.source, rows, columns, derive=_negative_part, dtype=dtype)
        floor = call.clean(call.source, rows, columns, derive=_minus_positive_part, dtype=dtype)
        risen = result.grid[index]
        torch.add(patch.grid[index], below, out=risen)
        torch.maximum(risen, floor, out=risen)
    return result


def norm_and_rectifier(
    call: DeltaCall, channels: slice = slice(None), place: Tensor | None = None
) -> Patch | None:
    """Carry the rectifier of what the norm gives; d, of some channels, is scaled on the way.

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
            call.clean(call.source, rows, columns, derive=derive, dtype=dtype)[:, :, channels]
            for derive in (layer.negative_part, layer.minus_positive_part)
        )
        risen = result.grid[index]
        torch.addcmul(below, patch.grid[index], scale, out=risen)
        torch.maximum(risen, floor, out=risen)
    return result


def batch_norm(call: DeltaCall) -> Patch | None:
    """Carry d times the channel's scale."""
    layer, patch = call.layer, call.patch
    if not isinstance(layer, nn.BatchNorm2d) or layer.running_var is None or patch.axes != (2, 3):
        return None
    return patch.with_values(patch.values * scale_of(layer).to(patch.values.dtype))


def linear(call: DeltaCall) -> Patch | None:
    """Carry W d over the last dimension, without the bias."""
    layer, patch = call.layer, call.patch
    if not isinstance(layer, nn.Linear) or patch.values.dim() - 1 in patch.axes:
        return None
    values = call.products.rounded(call.node, patch.values)
    return patch.with_values(call.products.multiplied(layer.weight, values))


def elementwise(call: DeltaCall) -> Patch | None:
    """Carry f(b + d, ...) - f(b, ...) of patches and of constants that are alike everywhere."""
    return _through(call) if _constants_are_even(call) else None


def layer_norm(call: DeltaCall) -> Patch | None:
    """Carry the norm over trailing dimensions that hold no positions."""
    n_trailing = len(call.option(1, "normalized_shape"))
    is_local = max(call.patch.axes) < call.patch.values.dim() - n_trailing
    return _through(call) if is_local else None


def add(call: DeltaCall) -> Patch | None:
    """Carry a + b; constants drop out."""
    if call.kwargs or not _constants_are_even(call):
        return None
    patches = [arg for arg in call.args if isinstance(arg, Patch)]
    if len(patches) == 1:
        return call.patch.viewed(call.patch.values, call.patch.axes)
    return summed(*patches, may_write=call.may_write and len(call.sources) == 2)


def multiply(call: DeltaCall) -> Patch | None:
    """Carry d times a constant; a product of patches is carried like any function."""
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
    if mostly_whole(rows, columns) and not call.is_rounded:
        return None
    sources = iter(call.sources)

    def occluded(argument: object) -> object:
        if not isinstance(argument, Patch):
            return argument
        return argument.plus(call.clean(next(sources), rows, columns), rows, columns)

    values = call.run(*map(occluded, call.args))
    result = Patch(values, rows, columns, call.patch.axes)
    result.grid.sub_(call.clean(call.node, rows, columns))
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
            if call.maps.varies(node) or any(sizes[axis] != 1 for axis in axes):
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
