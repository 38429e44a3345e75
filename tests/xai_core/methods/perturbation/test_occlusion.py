import re
from itertools import chain, pairwise

import pytest
import torch
from captum.attr import Occlusion
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.testing import assert_close

from xai_core import Cancelled, occlusion
from xai_core.errors import InputError, MemoryExhaustedError, WindowError
from xai_core.incremental import score_drops
from xai_core.incremental.perturbations import WindowPerturbations


class Sum(nn.Module):
    """Scores (0, sum of all values)."""

    def forward(self, x):
        total = x.flatten(1).sum(1)
        return torch.stack([torch.zeros_like(total), total], dim=1)


def convnet():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.ReLU(inplace=True),
        nn.Conv2d(3, 6, 3, stride=2),
        nn.ReLU(inplace=True),
        nn.Flatten(),
        nn.LazyLinear(4),
    ).eval()


def test_windows_that_tile_the_image_give_the_sums_they_cover():
    image = torch.arange(16.0).view(1, 1, 4, 4)
    result = occlusion(Sum().eval(), image, target=1, window=2, stride=2)
    expected = [[10.0, 18.0], [42.0, 50.0]]  # 0+1+4+5, 2+3+6+7, ...
    assert_close(
        result.heat, torch.tensor(expected).repeat_interleave(2, 0).repeat_interleave(2, 1)
    )


def test_overlapping_windows_are_averaged_and_edge_windows_cut():
    image = torch.tensor([[[[1.0, 2.0, 4.0]]]])
    result = occlusion(Sum().eval(), image, target=1, window=(1, 2), stride=1)
    assert_close(result.heat, torch.tensor([[3.0, 4.5, 6.0]]))  # windows {1, 2} and {2, 4}
    result = occlusion(Sum().eval(), image, target=1, window=(1, 2), stride=(1, 2))
    assert_close(result.heat, torch.tensor([[3.0, 3.0, 4.0]]))  # the second window is cut to {4}


def test_the_map_is_the_fall_of_the_score_in_every_channel():
    image = torch.ones(1, 3, 2, 2)
    result = occlusion(Sum().eval(), image, target=1, window=2, stride=2, baseline=0.25)
    assert_close(result.values, torch.full((3, 2, 2), 9.0))  # 12 values fall by 0.75
    assert_close(result.heat, torch.full((2, 2), 9.0))


@settings(max_examples=25)
@given(data=st.data())
def test_equals_captum(data):
    height, width = (data.draw(st.integers(5, 20)) for _ in range(2))
    window = tuple(data.draw(st.integers(1, size)) for size in (height, width))
    stride = tuple(data.draw(st.integers(1, size)) for size in window)
    chunk_size = data.draw(st.integers(1, 40))
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 2**16)))
    model = convnet()
    image = torch.randn(1, 3, height, width, generator=generator)
    model(image.clone())
    baseline = data.draw(
        st.sampled_from([0.0, -1.5, image.flip(3), image.mean((2, 3))[0, :, None, None]])
    )
    expected = Occlusion(lambda x: model(x.clone())).attribute(
        image,
        sliding_window_shapes=(3, *window),
        strides=(3, *stride),
        baselines=baseline.expand_as(image) if isinstance(baseline, torch.Tensor) else baseline,
        target=1,
    )
    result = occlusion(
        model,
        image,
        target=1,
        window=window,
        stride=stride,
        baseline=baseline,
        engine=data.draw(st.sampled_from(["dense", "delta"])),
        chunk_size=chunk_size,
    )
    limit = 1e-4 * float(expected.abs().max()) + 1e-7
    assert_close(result.values, expected[0].float(), atol=limit, rtol=0)


@pytest.mark.parametrize(
    ("window", "stride", "message"),
    [
        (17, 1, "window height 17 px exceeds the image's 16 px"),
        ((16, 25), 1, "window width 25 px exceeds the image's 24 px"),
        (4, 5, "stride 5 px exceeds window height 4 px: gaps"),
        ((4, 8), (4, 9), "stride 9 px exceeds window width 8 px"),
        (0, 1, "window is 0; allowed: 1 px or more"),
        (4, -1, "stride is -1"),
        (4.0, 1, "window is 4.0"),
        ((4, 4, 4), 1, "allowed: 1 px or more, an integer or"),
    ],
)
def test_refuses_windows_that_do_not_fit(window, stride, message):
    with pytest.raises(WindowError, match=message):
        occlusion(Sum().eval(), torch.zeros(1, 1, 16, 24), target=1, window=window, stride=stride)


def test_a_window_over_the_whole_axis_may_have_any_stride():
    image = torch.ones(1, 1, 4, 6)
    result = occlusion(Sum().eval(), image, target=1, window=(4, 2), stride=(9, 2))
    assert_close(result.heat, torch.full((4, 6), 8.0))


def test_reports_progress_and_can_be_cancelled():
    seen = []
    arguments = dict(target=1, window=2, stride=2, chunk_size=3, engine="dense")
    image = torch.ones(1, 1, 4, 4)
    occlusion(Sum().eval(), image, progress=lambda *at: seen.append(at), **arguments)
    assert seen == [(3, 4), (4, 4)]
    with pytest.raises(Cancelled):
        occlusion(Sum().eval(), image, cancelled=lambda: True, **arguments)


def test_leaves_image_and_baseline_as_they_were():
    model = convnet()
    image, cover = torch.randn(2, 1, 3, 8, 8)
    model(image.clone())
    before = image.clone(), cover.clone()
    occlusion(model, image, target=0, window=3, stride=2, baseline=cover)
    assert_close((image, cover), before, rtol=0, atol=0)


def test_params_repeat_the_computation():
    image = torch.randn(1, 2, 9, 9)
    first = occlusion(Sum().eval(), image, target=1, window=(3, 4), stride=2, baseline=1)
    assert first.params == {
        "window": [3, 4],
        "stride": [2, 2],
        "baseline": 1.0,
        "engine": "delta",
        "output": "logit",
        "precision": "float32",
    }
    again = occlusion(Sum().eval(), image, target=1, **first.params)
    assert_close(again.values, first.values)


def test_engines_are_named():
    with pytest.raises(InputError, match="engine is 'fast'; allowed: auto, dense, delta"):
        occlusion(Sum().eval(), torch.ones(1, 1, 4, 4), target=1, window=2, stride=2, engine="fast")


def deep():
    torch.manual_seed(3)
    widths = [3, 16, 16, 16, 16]
    stages = [[nn.Conv2d(a, b, 3, padding=1), nn.ReLU()] for a, b in pairwise(widths)]
    return nn.Sequential(
        *chain(*stages), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 4)
    ).eval()


@pytest.fixture
def bfloat16(monkeypatch):
    """Options of a map in reduced precision, on a processor that has it."""
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    return {"target": 0, "window": 8, "stride": 4, "precision": "bfloat16", "engine": "delta"}


def test_reduced_precision_is_measured_and_told(bfloat16):
    model, image = deep(), torch.rand(1, 3, 32, 32)
    exact = occlusion(model, image, **bfloat16 | {"precision": "float32"})
    reduced = occlusion(model, image, **bfloat16)
    assert reduced.params["precision"] == "bfloat16"
    assert 0 < reduced.measures["rounding_error"] <= 0.005
    assert re.match(r"Reduced precision: [1-4] of 4 layers multiply in bfloat16", reduced.notes[0])
    assert not torch.equal(reduced.values, exact.values)
    assert_close(reduced.values, exact.values, atol=0.01 * float(exact.values.abs().max()), rtol=0)


def test_a_rounded_map_that_misses_after_all_is_made_again_in_full_precision(bfloat16, monkeypatch):
    monkeypatch.setattr(score_drops, "_REDUCED_TOLERANCE", -1.0)
    model, image = deep(), torch.rand(1, 3, 32, 32)
    seen = []
    found = occlusion(
        model, image, **bfloat16, chunk_size=16, progress=lambda done, _: seen.append(done)
    )
    assert seen == sorted(set(seen))
    assert found.params["precision"] == "float32"
    assert "full precision" in found.notes[0]
    exact = occlusion(model, image, **bfloat16 | {"precision": "float32"}, chunk_size=16)
    assert torch.equal(found.values, exact.values)


def test_layers_near_the_image_are_the_first_to_keep_all_bits(bfloat16, monkeypatch):
    costs, asked = [5, 5, 15, 75], []
    monkeypatch.setattr(score_drops, "_SAMPLE_TOLERANCE", -1.0)
    monkeypatch.setattr(
        score_drops.DeltaEngine,
        "multiplications",
        lambda self, _: dict(zip(self.layers[:4], costs, strict=True)),
    )
    monkeypatch.setattr(
        score_drops.DeltaEngine,
        "round_products",
        lambda self, layers, _: asked.append([self.layers.index(layer) for layer in layers]),
    )
    found = occlusion(deep(), torch.rand(1, 3, 32, 32), **bfloat16)
    assert asked == [[0, 1, 2, 3, 4], [0, 1, 2, 3], [1, 2, 3], [2, 3], [3], []]
    assert found.params["precision"] == "float32"


def test_layers_that_get_whole_values_do_not_count_as_rounded(bfloat16):
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 4)).eval()
    found = occlusion(model, torch.rand(1, 3, 32, 32), **bfloat16)
    assert found.params["precision"] == "float32"
    assert not found.measures


def test_full_precision_where_reduced_does_not_pay(monkeypatch):
    for instructions in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, instructions, lambda: False)
    image = torch.randn(1, 1, 24, 24)
    result = occlusion(Sum().eval(), image, target=1, window=6, stride=3, precision="bfloat16")
    assert result.params["precision"] == "float32"
    assert "full precision" in result.notes[0]
    with pytest.raises(InputError, match="precision is 'half'; allowed: float32, bfloat16"):
        occlusion(Sum().eval(), image, target=1, window=6, stride=3, precision="half")


@pytest.mark.parametrize("step", ["_rounded", "_cover_bytes", "_missed"])
def test_memory_that_does_not_suffice_for_one_cover_is_told_as_such(step, bfloat16, monkeypatch):
    inner = {"_rounded": "multiplications", "_cover_bytes": "carried_bytes"}

    def fail(*_, **__):
        raise torch.OutOfMemoryError("out of memory")

    if step in inner:
        monkeypatch.setattr(score_drops.DeltaEngine, inner[step], fail)
    else:
        monkeypatch.setattr(WindowPerturbations, "images", fail)
    with pytest.raises(MemoryExhaustedError):
        occlusion(deep(), torch.rand(1, 3, 32, 32), **bfloat16)
