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
    concatenated,
    empty_union,
    part_of,
    place_of,
    summed,
    union,
)

TAKE_PARTS = frozenset({torch.cat, torch.concat, nn.Conv2d, NormRelu})
"""What has a rule here; for everything else the parts are merged first."""

_ENOUGH_CHANNELS = 128  # parts with fewer are merged: many small matrix products cost more
_OVERHEAD_CHANNELS = 128  # what writing and adding up a product costs, in channels that it reads

_Group = list[tuple[Patch, slice]]


@dataclass(frozen=True)
class Joined:
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


def merged(carried: Any) -> Any:
    """Return one patch on the union of the rectangles, or what is no concatenation as it is."""
    return concatenated(carried.parts, 1) if isinstance(carried, Joined) else carried


def concatenate(call: DeltaCall) -> Joined | Patch | None:
    """Carry maps along the channels side by side; other concatenations are copied together."""
    parts: list[Any] = []
    for arg in call.args[0]:
        parts += arg.parts if isinstance(arg, Joined) else [arg]
    if call.option(1, "dim", 0) != 1 or not all(map(_is_map, parts)):
        whole = replace(call, args=(list(map(merged, call.args[0])), *call.args[1:]))
        return layout.concatenate(whole)
    joined = parts[:1]
    for part in parts[1:]:
        if joined[-1].values.shape[1] < _ENOUGH_CHANNELS:
            joined[-1] = concatenated([joined[-1], part], 1)
        else:
            joined.append(part)
    return Joined(tuple(joined))


def norm_and_rectifier(call: DeltaCall) -> Joined | Patch | None:
    """Carry each part through the norm of its channels; parts read as one are written as one."""
    if not isinstance(call.args[0], Joined):
        return pointwise.norm_and_rectifier(call)
    results = []
    for group in _groups(call.args[0]):
        whole = empty_union([part for part, _ in group], 1)
        first = group[0][1].start
        for part, channels in group:
            alone = replace(call, args=(part,))
            beside = slice(channels.start - first, channels.stop - first)
            place = place_of(part, part_of(whole, 1, beside))
            if place is None or pointwise.norm_and_rectifier(alone, channels, place) is None:
                return pointwise.norm_and_rectifier(replace(call, args=(merged(call.args[0]),)))
        results.append(whole)
    return Joined(tuple(results)) if len(results) > 1 else results[0]


def convolution(call: DeltaCall) -> Patch | None:
    """Carry the sum of W_i * d_i over the parts."""
    if not isinstance(call.args[0], Joined) or call.option(6, "groups", 1) > 1:
        return spatial.convolution(replace(call, args=tuple(map(merged, call.args))))
    total: Patch | None = None
    # The last part has been through most layers: its rectangles hold those of the others.
    for group in reversed(_groups(call.args[0])):
        patches, channels = zip(*group, strict=True)
        whole = concatenated(patches, 1) if len(patches) > 1 else patches[0]
        read = slice(channels[0].start, channels[-1].stop)
        product = spatial.convolution(replace(call, args=(whole,)), read)
        if product is None:
            return None
        total = product if total is None else summed(total, product, may_write=True)
    return total


def _groups(joined: Joined) -> list[_Group]:
    """Return the parts in groups to be read as one, the cheapest way to multiply them by weights.

    A product over K channels of an area costs as much as K + `_OVERHEAD_CHANNELS`.
    """
    pairs = list(zip(joined.parts, joined.channels, strict=True))
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
