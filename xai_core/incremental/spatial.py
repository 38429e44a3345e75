"""Rules for what reads a neighbourhood: convolution and pooling.

d' is 0 where a kernel reads no d: the rectangle grows by what the kernel reaches, and no further.
"""

from math import prod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from xai_core.incremental.call import DeltaCall
from xai_core.incremental.patch import Patch
from xai_core.incremental.span import Kernel, Span, dense_pays

Spans = tuple[Span, Span]
Kernels = tuple[Kernel, Kernel]


def convolution(call: DeltaCall, channels: slice = slice(None)) -> Patch | None:
    """Carry W * d; d may be some of the channels that the layer reads.

    Why: the layer is affine, so its bias drops out. Padded with zeros, b + d and b are the same
    there, so d is 0; other padding repeats values from elsewhere, and has no rule.
    """
    layer = call.layer
    if not isinstance(layer, nn.Conv2d) or layer.padding_mode != "zeros":
        return None
    kernels = _kernels(layer.kernel_size, layer.stride, 0, layer.dilation)
    if layer.padding == "same":
        if any(kernel.extent % 2 == 0 for kernel in kernels):
            return None  # one end gets more than the other
        kernels = _kernels(
            *(layer.kernel_size, layer.stride),
            [kernel.extent // 2 for kernel in kernels],
            layer.dilation,
        )
    elif layer.padding != "valid":
        kernels = _kernels(layer.kernel_size, layer.stride, layer.padding, layer.dilation)
    spans = _reached(call, kernels)
    if spans is None:
        return None
    values, padding, skipped = _padded(call.patch, _read(call, spans, kernels), kernels)
    values = call.weights.cast(call.node, values)
    out = call.weights.convolve(call.node, layer, values, channels=channels, padding=padding)
    wanted = out
    for axis, span, skip in zip((2, 3), spans, skipped, strict=True):
        wanted = wanted.narrow(axis, skip, span.size)
    return Patch(wanted, *spans, is_own=wanted.shape == out.shape)


def max_pooling(call: DeltaCall) -> Patch | None:
    """Carry max(b + d) - max(b), with b of all that the kernels read.

    Why: which value is the largest depends on b, also just outside the rectangle.
    """
    kernels = _kernels(
        call.option(1, "kernel_size"),
        call.option(2, "stride") or call.option(1, "kernel_size"),
        call.option(3, "padding", 0),
        call.option(4, "dilation", 1),
    )
    spans = _reached(call, kernels)
    if spans is None or call.option(6, "return_indices", default=False):
        return None
    if dense_pays(*spans) and not call.is_rounded:
        return None
    read = _read(call, spans, kernels)
    reference = call.under(call.source, *read, outside=-torch.inf)
    out = F.max_pool2d(
        call.patch.add_reference(reference, *read),
        [kernel.size for kernel in kernels],
        [kernel.stride for kernel in kernels],
        dilation=[kernel.dilation for kernel in kernels],
    )
    pooled = Patch(out, *spans)
    pooled.grid.sub_(call.under(call.node, *spans))
    return pooled


def average_pooling(call: DeltaCall) -> Patch | None:
    """Carry the mean of d, where every output is a mean over equally many positions.

    Why: a mean is linear; where its divisor differs by place it depends on where the patch lies.
    """
    kernel_size, padding = call.option(1, "kernel_size"), call.option(3, "padding", 0)
    kernels = _kernels(kernel_size, call.option(2, "stride") or kernel_size, padding, 1)
    is_even = call.option(5, "count_include_pad", default=True) or not any(_pair(padding))
    is_plain = not call.option(4, "ceil_mode") and call.option(6, "divisor_override") is None
    spans = _reached(call, kernels) if is_even and is_plain else None
    if spans is None:
        return None
    values = call.patch.on(*_read(call, spans, kernels))
    sizes, strides = zip(*((kernel.size, kernel.stride) for kernel in kernels), strict=True)
    return Patch(F.avg_pool2d(values, sizes, strides), *spans)


def adaptive_average(call: DeltaCall) -> Tensor | Patch | None:
    """Carry the mean over the whole map, as values; a map of the wanted size stays as it is.

    Why: the mean of b + d is that of b and the sum of d over its rectangle by the map's positions;
    one vector is left, of which no part is 0.
    """
    height, width = (span.length for span in call.patch.spans)
    wanted = tuple(
        own if size is None else size
        for size, own in zip(_pair(call.option(1, "output_size")), (height, width), strict=True)
    )
    if wanted == (height, width):
        return call.patch
    return _global_mean(call, keepdim=True) if wanted == (1, 1) else None


def mean(call: DeltaCall) -> Tensor | None:
    """Carry the mean over both axes, as values, for the same reason."""
    dims = call.option(1, "dim", ())
    dims = [dims] if isinstance(dims, int) else dims
    if sorted(dim % call.patch.values.dim() for dim in dims) != sorted(call.patch.axes):
        return None
    return _global_mean(call, keepdim=call.option(2, "keepdim", default=False))


def _global_mean(call: DeltaCall, *, keepdim: bool) -> Tensor:
    n_positions = prod(span.length for span in call.patch.spans)
    reference: Tensor = call.reference[call.node]
    total = call.patch.values.sum(call.patch.axes, keepdim=keepdim, dtype=reference.dtype)
    return reference + total / n_positions


def _kernels(size: object, stride: object, padding: object, dilation: object) -> Kernels:
    options = [_pair(option) for option in (size, stride, padding, dilation)]
    vertical, horizontal = (Kernel(*side) for side in zip(*options, strict=True))
    return vertical, horizontal


def _pair(option: object) -> tuple[int, int]:
    if isinstance(option, tuple | list):
        vertical, horizontal = option * 2 if len(option) == 1 else option
        return vertical, horizontal
    return option, option  # type: ignore[return-value]  # an int, as PyTorch takes it


def _reached(call: DeltaCall, kernels: Kernels) -> Spans | None:
    """Return where the output changes, or None when that is no rectangle of (N, C, H, W)."""
    if call.patch.axes != (2, 3) or call.patch.values.dim() != 4:
        return None
    height, width = call.reference[call.node].shape[2:]
    rows, columns = call.patch.spans
    return rows.reached(kernels[0], height), columns.reached(kernels[1], width)


def _read(call: DeltaCall, spans: Spans, kernels: Kernels) -> Spans:
    rows, columns = call.patch.spans
    return spans[0].read_by(kernels[0], rows.length), spans[1].read_by(kernels[1], columns.length)


def _padded(
    patch: Patch, read: Spans, kernels: Kernels
) -> tuple[Tensor, tuple[int, int], tuple[int, int]]:
    """Return input, zeros to pad both ends with, and how many outputs to skip, for what is read.

    A convolution pads both ends alike; zeros that it adds itself cost it no arithmetic, unlike
    zeros in memory. So it gets as much as the longer end needs, and its first outputs are skipped.
    """
    rows, columns = patch.spans
    paddings, skipped = [0, 0], [0, 0]
    for side, (span, wanted, kernel) in enumerate(zip(patch.spans, read, kernels, strict=True)):
        before = wanted.offset(span)
        if before is None or before < 0:
            rows, columns = (wanted, columns) if side == 0 else (rows, wanted)
            continue
        after = wanted.size - span.size - before
        skipped[side] = max(0, -((before - after) // kernel.stride))
        paddings[side] = before + skipped[side] * kernel.stride
    return patch.on(rows, columns), (paddings[0], paddings[1]), (skipped[0], skipped[1])
