"""Rules for what only arranges values anew, or asks for their shape.

Moving values is linear, so the same move of d gives d'. A rule has only to say where the two axes
are afterwards, and refuses what takes positions apart or joins them with others. A shape is that of
the reference, with as many images as windows.
"""

from math import prod
from typing import Any

import torch

from xai_core.incremental.call import DeltaCall
from xai_core.incremental.patch import Patch, concatenate_patches


def unchanged(call: DeltaCall) -> Patch:
    """Carry the patch on as it is."""
    return call.patch.with_view(call.patch.values, call.patch.axes)


def concatenate(call: DeltaCall) -> Patch | None:
    """Carry patches joined along a dimension that holds no positions."""
    parts, dim = call.args[0], call.option(1, "dim", 0)
    if not all(isinstance(part, Patch) for part in parts):
        return None
    axes, n_dims = parts[0].axes, parts[0].values.dim()
    dim %= n_dims
    if dim in (0, *axes) or any(part.axes != axes for part in parts):
        return None
    return concatenate_patches(parts, dim)


def permute(call: DeltaCall) -> Patch | None:
    """Carry a permutation that leaves the images first."""
    dims = call.args[1] if isinstance(call.args[1], tuple | list) else call.args[1:]
    return _permuted(call.patch, [dim % call.patch.values.dim() for dim in dims])


def transpose(call: DeltaCall) -> Patch | None:
    """Carry two dimensions exchanged."""
    dims = list(range(call.patch.values.dim()))
    first, second = call.args[1:3]
    dims[first], dims[second] = dims[second], dims[first]
    return _permuted(call.patch, dims)


def reshape(call: DeltaCall) -> Patch | None:
    """Carry a new shape of the dimensions between the images and the two axes, which come last."""
    patch = call.patch
    shape = call.args[1] if isinstance(call.args[1], tuple | list) else call.args[1:]
    lengths = tuple(span.length for span in patch.spans)
    n_dims = patch.values.dim()
    if patch.axes != (n_dims - 2, n_dims - 1) or len(shape) < 3 or tuple(shape[-2:]) != lengths:
        return None
    inner = list(shape[1:-2])
    if shape[0] not in (-1, len(patch.values)) or -1 in inner:
        return None
    if prod(inner) != prod(patch.values.shape[1:-2]):
        return None
    values = patch.values.reshape(len(patch.values), *inner, *patch.values.shape[-2:])
    return patch.with_view(values, (len(inner) + 1, len(inner) + 2))


def chunk(call: DeltaCall) -> tuple[Patch, ...] | None:
    """Carry equal parts along a dimension that holds no positions."""
    dim = call.option(2, "dim", 0)
    if dim in (0, *call.patch.axes) or dim < 0:
        return None
    parts = call.patch.values.chunk(call.option(1, "chunks"), dim)
    return tuple(call.patch.with_view(part, call.patch.axes) for part in parts)


def item(call: DeltaCall) -> Any:
    """Carry one channel, `x[:, k]`; or take an entry out of a tuple of patches."""
    container, index = call.args
    if isinstance(container, tuple):
        return container[index]
    if index[:1] != (slice(None),) or len(index) != 2 or not isinstance(index[1], int):
        return None
    axes = container.axes[0] - 1, container.axes[1] - 1
    return container.with_view(container.values[index], axes) if min(axes) > 0 else None


def unsqueeze(call: DeltaCall) -> Patch | None:
    """Carry a new dimension of one."""
    dim = call.option(1, "dim")
    if dim < 1:
        return None
    first, second = (axis + (axis >= dim) for axis in call.patch.axes)
    return call.patch.with_view(call.patch.values.unsqueeze(dim), (first, second))


def size(call: DeltaCall) -> Any:
    """Return the shape of the values, or one entry of it."""
    shape = _shape(call)
    return shape if len(call.args) == 1 else shape[call.args[1]]


def attribute(call: DeltaCall) -> Any:
    """Return the shape of the values; other attributes are not known."""
    return _shape(call) if call.args[1] == "shape" else None


def n_dims(call: DeltaCall) -> int:
    """Return how many dimensions the values have."""
    return call.patch.values.dim()


def _shape(call: DeltaCall) -> torch.Size:
    return torch.Size((len(call.patch.values), *call.reference[call.source].shape[1:]))


def _permuted(patch: Patch, dims: list[int]) -> Patch | None:
    if dims[0] != 0:
        return None
    axes = dims.index(patch.axes[0]), dims.index(patch.axes[1])
    return patch.with_view(patch.values.permute(dims), axes)
