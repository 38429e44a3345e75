"""Concatenations carried as their parts, each on the rectangles that it has itself reached.

The features of a dense block grow wider from layer to layer, and each layer reads all of them.
Kept apart, the early ones are copied once instead of once a layer, and cost pointwise layers only
the small rectangles that they changed.
"""

from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from typing import Any

import torch
from torch import nn

from xai_core.graph.tracing import NormRelu
from xai_core.incremental import layout, pointwise, spatial
from xai_core.incremental.call import DeltaCall
from xai_core.incremental.patch import (
    Patch,
    add_patches,
    allocate_union,
    concatenate_patches,
    find_place,
    select_part,
    union,
)

TAKE_PARTS = frozenset({torch.cat, torch.concat, nn.Conv2d, NormRelu})
"""What has a rule here; for everything else the parts are merged first."""

_ENOUGH_CHANNELS = 128  # parts with fewer are merged: many small matrix products cost more
_OVERHEAD_CHANNELS = 128  # what writing and adding up a product costs, in channels that it reads

_Group = list[tuple[Patch, slice]]


@dataclass(frozen=True)
class LazyConcatenation:
    """Patches one after the other along the channels.

    Attributes:
        parts: Differences (N, C_i, h_i, w_i) for the same windows, in order.
    """

    parts: tuple[Patch, ...]

    @property
    def channels(self) -> list[slice]:
        """Which channels of the whole each part is."""
        lengths = (part.values.shape[1] for part in self.parts)
        return [slice(*ends) for ends in pairwise(accumulate(lengths, initial=0))]


def merge(carried: Any) -> Any:
    """Return one patch on the union of the rectangles, or what is no concatenation as it is."""
    is_lazy = isinstance(carried, LazyConcatenation)
    return concatenate_patches(carried.parts, 1) if is_lazy else carried


def concatenate(call: DeltaCall) -> LazyConcatenation | Patch | None:
    """Carry maps along the channels side by side; other concatenations are copied together.

    Why: each part of d' is the difference of that part, and 0 outside its own rectangle.
    """
    parts: list[Any] = []
    for arg in call.args[0]:
        parts += arg.parts if isinstance(arg, LazyConcatenation) else [arg]
    if call.option(1, "dim", 0) != 1 or not all(map(_is_map, parts)):
        whole = replace(call, args=(list(map(merge, call.args[0])), *call.args[1:]))
        return layout.concatenate(whole)
    kept = parts[:1]
    for part in parts[1:]:
        if kept[-1].values.shape[1] < _ENOUGH_CHANNELS:
            kept[-1] = concatenate_patches([kept[-1], part], 1)
        else:
            kept.append(part)
    return LazyConcatenation(tuple(kept))


def norm_and_rectifier(call: DeltaCall) -> LazyConcatenation | Patch | None:
    """Carry each part through the norm of its channels; parts read as one are written as one."""
    if not isinstance(call.args[0], LazyConcatenation):
        return pointwise.norm_and_rectifier(call)
    results = []
    for group in _groups(call.args[0]):
        whole = allocate_union([part for part, _ in group], 1)
        first = group[0][1].start
        for part, channels in group:
            alone = replace(call, args=(part,))
            beside = slice(channels.start - first, channels.stop - first)
            place = find_place(part, select_part(whole, 1, beside))
            if place is None or pointwise.norm_and_rectifier(alone, channels, place) is None:
                return pointwise.norm_and_rectifier(replace(call, args=(merge(call.args[0]),)))
        results.append(whole)
    return LazyConcatenation(tuple(results)) if len(results) > 1 else results[0]


def convolution(call: DeltaCall) -> Patch | None:
    """Carry the sum of W_i * d_i over the parts: a convolution adds up over its channels."""
    if not isinstance(call.args[0], LazyConcatenation) or call.option(6, "groups", 1) > 1:
        return spatial.convolution(replace(call, args=tuple(map(merge, call.args))))
    total: Patch | None = None
    # The last part has been through most layers: its rectangles hold those of the others.
    for group in reversed(_groups(call.args[0])):
        patches, channels = zip(*group, strict=True)
        whole = concatenate_patches(patches, 1) if len(patches) > 1 else patches[0]
        read = slice(channels[0].start, channels[-1].stop)
        product = spatial.convolution(replace(call, args=(whole,)), read)
        if product is None:
            return None
        total = product if total is None else add_patches(total, product, may_write=True)
    return total


def _groups(parts: LazyConcatenation) -> list[_Group]:
    """Return the parts in groups to be read as one, the cheapest way to multiply them by weights.

    A product over K channels of an area costs as much as K + `_OVERHEAD_CHANNELS`.
    """
    pairs = list(zip(parts.parts, parts.channels, strict=True))
    best: list[tuple[float, list[_Group]]] = [(0.0, [])]
    for stop in range(1, len(pairs) + 1):
        ways = []
        for start in range(stop):
            group = pairs[start:stop]
            rows, columns = union([part for part, _ in group])
            n_channels = group[-1][1].stop - group[0][1].start
            cost = rows.size * columns.size * (n_channels + _OVERHEAD_CHANNELS)
            ways.append((best[start][0] + cost, [*best[start][1], group]))
        best.append(min(ways, key=lambda way: way[0]))
    return best[-1][1]


def _is_map(part: object) -> bool:
    return isinstance(part, Patch) and part.axes == (2, 3) and part.values.dim() == 4
