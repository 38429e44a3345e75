"""Products with weights in other orders against PyTorch's own, call after call."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import fx, nn
from torch.nn import functional as F
from torch.testing import assert_close

from xai_core.incremental.packed_weights import PackedWeights

ROUNDING = {torch.float64: 1e-12, torch.float32: 1e-5, torch.bfloat16: 2e-2}  # of the largest


@pytest.fixture(scope="module")
def node():
    return next(iter(fx.symbolic_trace(nn.Identity()).graph.nodes))


def assert_equal(found, expected):
    limit = ROUNDING[found.dtype] * float(expected.abs().max())
    assert_close(found.double(), expected, rtol=0, atol=limit)


@settings(max_examples=60)
@given(data=st.data())
def test_convolutions_of_any_kind_and_shape(node, data):
    torch.manual_seed(data.draw(st.integers(0, 99)))
    draw = lambda *choices: data.draw(st.sampled_from(choices))  # noqa: E731
    dtype, n_channels, groups = draw(*ROUNDING), draw(4, 64, 256), draw(1, 1, 1, 4)
    kernel, stride, padding = draw(1, 3, 3, (1, 3)), draw(1, 1, 2), draw((0, 0), (1, 1), (2, 1))
    layer = nn.Conv2d(n_channels, draw(8, 256), kernel, stride, padding, groups=groups)
    layer = layer.to(dtype, memory_format=torch.channels_last)
    part = slice(n_channels // 4, n_channels) if groups == 1 and draw(True, False) else slice(None)
    n_read = len(range(n_channels)[part])
    bias = draw(layer.bias.detach(), None)
    weights = PackedWeights()
    with torch.inference_mode():
        for shape in data.draw(
            st.lists(st.sampled_from([(9, 7, 7), (16, 8, 9)]), min_size=3, max_size=5)
        ):
            values = torch.randn(shape[0], n_read, *shape[1:], dtype=dtype)
            values = values.contiguous(memory_format=torch.channels_last)
            given = {"padding": padding, "channels": part, "bias": bias}
            found = weights.convolve(node, layer, values, **given)
            expected = F.conv2d(
                values.double(),
                layer.weight.double()[:, part] if groups == 1 else layer.weight.double(),
                None if bias is None else bias.double(),
                stride,
                padding,
                groups=groups,
            )
            assert found.dtype == dtype
            assert_equal(found, expected)


@pytest.mark.parametrize("dtype", ROUNDING)
@pytest.mark.parametrize("n_rows", [3, 300])
def test_linear_layers_and_some_of_their_outputs(dtype, n_rows):
    torch.manual_seed(0)
    layer = nn.Linear(40, 90).to(dtype)
    weights = PackedWeights()
    with torch.inference_mode():
        for outputs in (slice(None), slice(30, 60), slice(None)):
            values = torch.randn(2, n_rows, 40, dtype=dtype)
            found = weights.multiply(layer.weight, values, bias=layer.bias, outputs=outputs)
            expected = F.linear(values.double(), layer.weight.double(), layer.bias.double())
            assert_equal(found, expected[..., outputs])
