"""Minimal filtering: a 3 x 3 convolution with a quarter of the multiplications, in the same format.

Winograd, Arithmetic Complexity of Computations (1980); Lavin & Gray, CVPR 2016, arXiv:1509.09308.
Outputs are made in blocks of 4 x 4. A block is a product of two polynomials along either axis: both
factors are evaluated at six points, multiplied there, and the product is interpolated. Only the
multiplications in the middle run over the channels.
"""

from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.polynomial import polynomial
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

_BLOCK = 4  # outputs a side
_TAPS = 3
_POINT = 0.65  # of 0.5 to 0.85, rounds least
_POINTS = (0.0, _POINT, -_POINT, 1 / _POINT, -1 / _POINT)  # and infinity
_SIDE = _BLOCK + _TAPS - 1  # inputs that a block reads, and points

_ENOUGH_CHANNELS = 256  # with fewer, evaluating costs more than is saved
_ENOUGH_BLOCKS = 48  # to multiply by weights that are four times the layer's own


def pays(layer: nn.Conv2d, values: Tensor, padding: tuple[int, int]) -> bool:
    """Whether a convolution of values, (N, C, h, w), with single precision on a CPU is sooner."""
    is_plain = (layer.kernel_size, layer.stride, layer.dilation, layer.groups) == (
        (_TAPS, _TAPS), (1, 1), (1, 1), 1,
    )  # fmt: skip
    if not is_plain or values.dtype != torch.float32:
        return False
    down, across = _blocks(values, padding)
    is_wide = min(values.shape[1], layer.out_channels) >= _ENOUGH_CHANNELS
    return is_wide and len(values) * down * across >= _ENOUGH_BLOCKS


class Winograd:
    """A 3 x 3 convolution of stride 1, evaluated at the points once and for all.

    Args:
        weight: (C_out, C, 3, 3).
    """

    def __init__(self, weight: Tensor) -> None:
        n_outputs, n_channels = weight.shape[:2]
        evaluate, interpolate, at_points = (torch.kron(each, each) for each in _matrices())
        taps = weight.permute(2, 3, 0, 1).reshape(_TAPS**2, -1)
        evaluated = (at_points.to(weight.dtype) @ taps).view(-1, n_outputs, n_channels)
        pack: Any = torch.ops.mkldnn._reorder_linear_weight
        self._weights = list(map(pack, evaluated))
        self._evaluate = evaluate.to(weight.dtype)
        self._interpolate = interpolate.to(weight.dtype)
        self._n_outputs = n_outputs

    def __call__(self, values: Tensor, padding: tuple[int, int]) -> Tensor:
        """Return W * x, (N, C_out, h', w') channels last, of single precision on a CPU.

        Args:
            values: x, (N, C, h, w), channels last.
            padding: Zeros to add at either end of both axes.
        """
        down, across = _blocks(values, padding)
        evaluated = self._evaluate @ _read(values, padding)
        multiply: Any = torch.ops.mkldnn._linear_pointwise
        pairs = zip(evaluated.unbind(1), self._weights, strict=True)
        products = torch.stack([multiply(x, w, None, "none", [], "") for x, w in pairs])
        shape = _BLOCK, _BLOCK, len(values), down, across, self._n_outputs
        blocks = (self._interpolate @ products.flatten(1)).view(shape)
        height, width = _size(values, padding)
        result = values.new_empty(len(values), height, width, self._n_outputs)
        for row in range(min(_BLOCK, height)):
            for column in range(min(_BLOCK, width)):
                place = result[:, row::_BLOCK, column::_BLOCK]
                place.copy_(blocks[row, column, :, : place.shape[1], : place.shape[2]])
        return result.permute(0, 3, 1, 2)


def _read(values: Tensor, padding: tuple[int, int]) -> Tensor:
    """Return what each block of outputs reads, (N * down * across, 36, C)."""
    (height, width), (top, left) = values.shape[2:], padding
    down, across = _blocks(values, padding)
    bottom = down * _BLOCK + _TAPS - 1 - top - height
    right = across * _BLOCK + _TAPS - 1 - left - width
    padded = F.pad(values.permute(0, 2, 3, 1), (0, 0, left, right, top, bottom)).contiguous()
    per_image, per_row, per_column, per_channel = padded.stride()
    shape = (len(values), down, across, _SIDE, _SIDE, values.shape[1])
    steps = (per_image, _BLOCK * per_row, _BLOCK * per_column, per_row, per_column, per_channel)
    return padded.as_strided(shape, steps).reshape(-1, _SIDE**2, values.shape[1])


def _size(values: Tensor, padding: tuple[int, int]) -> tuple[int, int]:
    """Return the outputs' height and width."""
    height, width = (
        length + 2 * before - _TAPS + 1
        for length, before in zip(values.shape[2:], padding, strict=True)
    )
    return height, width


def _blocks(values: Tensor, padding: tuple[int, int]) -> tuple[int, int]:
    """Return how many blocks of outputs there are down and across."""
    down, across = (-(-length // _BLOCK) for length in _size(values, padding))
    return down, across


@cache
def _matrices() -> tuple[Tensor, Tensor, Tensor]:
    """Return what evaluates inputs (6, 6), interpolates outputs (4, 6) and evaluates taps (6, 3).

    The outputs are what the transposed algorithm of the product of two polynomials gives.
    """
    others = [[q for q in _POINTS if q != p] for p in _POINTS]
    at_points = [np.append(polynomial.polyfromroots(rest), 0) for rest in others]
    evaluate = np.vstack([*at_points, polynomial.polyfromroots(_POINTS)])
    interpolate = _at_infinity(np.vander(_POINTS, _BLOCK, increasing=True)).T
    scales = [[np.prod(np.subtract(p, rest))] for p, rest in zip(_POINTS, others, strict=True)]
    taps = _at_infinity(np.vander(_POINTS, _TAPS, increasing=True) / scales)
    return _tensor(evaluate), _tensor(interpolate), _tensor(taps)


def _at_infinity(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return values at the points with those at infinity, the highest coefficient, behind."""
    return np.vstack([rows, np.eye(rows.shape[1])[-1]])


def _tensor(values: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values))
