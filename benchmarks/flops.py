"""Counts what a run computes.

PyTorch's own counter follows modules through the backward pass, and cannot where a gradient is
taken with respect to a layer's input. This one knows operations only.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import prod
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry, register_flop_formula


def n_flops(run: Callable[[], Any]) -> int:
    """Count the multiplications and additions, each by itself, of convolutions and products."""
    with _attention_in_parts(), _Counter() as counter:
        run()
    return counter.total


@register_flop_formula(torch.ops.mkldnn._convolution_pointwise)
def _packed_convolution(
    _values: torch.Size, weight: torch.Size, *_settings: Any, out_shape: torch.Size, **_more: Any
) -> int:
    return 2 * prod(out_shape) * prod(weight[1:])


@register_flop_formula(torch.ops.mkldnn._linear_pointwise)
def _packed_linear(values: torch.Size, *_settings: Any, out_shape: torch.Size, **_more: Any) -> int:
    return 2 * prod(out_shape) * values[-1]


class _Counter(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        operation, kwargs = func._overloadpacket, kwargs or {}
        formula = flop_registry.get(operation)
        if formula is None:
            with self:
                parts = func.decompose(*args, **kwargs)
            return func(*args, **kwargs) if parts is NotImplemented else parts
        out = func(*args, **kwargs)
        self.total += formula(*args, **kwargs, out_val=out)
        return out


@contextmanager
def _attention_in_parts() -> Iterator[None]:
    """Keep attention from its fused form in inference, for which there is no formula."""
    was_on = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(was_on)
