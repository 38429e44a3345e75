"""Minimal filtering against PyTorch's own convolution in double precision."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F
from torch.testing import assert_close

from xai_core import occlusion
from xai_core.incremental import winograd
from xai_core.incremental.winograd import Winograd, pays

ROUNDING = 1e-5  # of the largest output; a wrong coefficient misses by far more


def channels_last(*shape):
    return torch.randn(shape).contiguous(memory_format=torch.channels_last)


@settings(max_examples=40)
@given(
    height=st.integers(1, 14),
    width=st.integers(1, 14),
    padding=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    n_channels=st.integers(1, 40),
    n_outputs=st.integers(1, 40),
    seed=st.integers(0, 99),
)
def test_equals_a_convolution(height, width, padding, n_channels, n_outputs, seed):
    torch.manual_seed(seed)
    weight = channels_last(n_outputs, n_channels, 3, 3)
    values = channels_last(3, n_channels, height, width)
    found = Winograd(weight)(values, padding)
    expected = F.conv2d(values.double(), weight.double(), padding=padding)
    assert_close(found.double(), expected, rtol=0, atol=ROUNDING * float(expected.abs().max()))
    assert found.is_contiguous(memory_format=torch.channels_last)


def test_pays_for_plain_wide_layers_and_many_blocks_only():
    values, wide = channels_last(16, 256, 8, 8), nn.Conv2d(256, 256, 3)
    assert pays(wide, values, (1, 1))
    assert not pays(wide, values[:2], (1, 1))
    assert not pays(wide, values.double(), (1, 1))
    assert not pays(nn.Conv2d(256, 64, 3), values, (1, 1))
    for different in ({"stride": 2}, {"dilation": 2}, {"groups": 2}):
        assert not pays(nn.Conv2d(256, 256, 3, **different), values, (1, 1))
    assert not pays(nn.Conv2d(256, 256, 5), values, (1, 1))


def test_occlusion_uses_it_for_maps_as_exact_as_ever(monkeypatch):
    torch.manual_seed(0)
    model = nn.Sequential(
        *(nn.Conv2d(3, 256, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(), nn.Conv2d(256, 256, 3, padding=1)),
        *(nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(256, 3)),
    ).eval()
    image = torch.randn(1, 3, 32, 32)
    counted = []
    call = Winograd.__call__
    monkeypatch.setattr(
        winograd.Winograd, "__call__", lambda *args: counted.append(1) or call(*args)
    )
    found = occlusion(model, image, target=1, window=8, stride=6, engine="delta", chunk_size=9)
    assert counted
    exact = occlusion(model.double(), image.double(), target=1, window=8, stride=6, engine="dense")
    limit = float(exact.heat.abs().max())
    assert_close(found.heat.double(), exact.heat.double(), rtol=0, atol=2e-5 * limit)
