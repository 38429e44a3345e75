"""Concatenations carried as their parts, each on the rectangles that it has itself reached.

The features of a dense block grow wider from layer to layer, and each layer reads all of them.
Kept apart, the early ones cost only the small rectangles that they changed, and nothing is copied;
what a convolution makes of them is summed.
"""

from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from typing import Any

import torch
from torch import nn

from xai_core.delta import layout, pointwise, spatial
from xai_core.delta.call import Call
from xai_core.delta.patch import Patch, concatenated, summed
from xai_core.graph import NormRelu

TAKE_PARTS = frozenset({torch.cat, torch.concat, nn.Conv2d, NormRelu})
"""What has a rule here; for everything else the parts are merged first."""

_ENOUGH_CHANNELS = 128  # parts with fewer are merged: many small matrix products cost more


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


def concatenate(call: Call) -> Joined | Patch | None:
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


def norm_and_rectifier(call: Call) -> Joined | Patch | None:
    """Carry each part through the norm of its channels."""
    if not isinstance(call.args[0], Joined):
        return pointwise.norm_and_rectifier(call)
    return Joined(tuple(pointwise.norm_and_rectifier(*part) for part in _by_part(call)))


def convolution(call: Call) -> Patch | None:
    """Carry the sum of W_i * d_i over the parts."""
    if not isinstance(call.args[0], Joined) or call.option(6, "groups", 1) > 1:
        return spatial.convolution(replace(call, args=tuple(map(merged, call.args))))
    # The last part has been through most layers: its rectangles hold those of the others.
    total, *products = (spatial.convolution(*part) for part in reversed(_by_part(call)))
    for product in products:
        total = summed(total, product, may_write=True)
    return total


def _by_part(call: Call) -> list[tuple[Call, slice]]:
    """Return the call with each part alone, and which of the channels the part is."""
    joined: Joined = call.args[0]
    pairs = zip(joined.parts, joined.channels, strict=True)
    return [(replace(call, args=(part,)), channels) for part, channels in pairs]


def _is_map(part: object) -> bool:
    return isinstance(part, Patch) and part.axes == (2, 3) and part.values.dim() == 4
