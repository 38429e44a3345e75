import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from captum.attr import FeatureAblation
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F
from torch.testing import assert_close

from tests.small_nets import residual
from xai_core import occlusion
from xai_core.errors import Cancelled, InputError, ModelError, TargetError
from xai_core.incremental.perturbations import RegionPerturbations
from xai_core.methods.perturbation.feature_ablation import feature_ablation
from xai_core.superpixels import grid_segments, numbered


class Product(nn.Module):
    """Scores (0, the product of the image's left and right halves' sums)."""

    def forward(self, x):
        left, right = (half.flatten(1).sum(1) for half in x.chunk(2, dim=3))
        return torch.stack([torch.zeros_like(left), left * right], dim=1)


def convnet():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.ReLU(inplace=True),
        nn.Conv2d(3, 6, 3, stride=2),
        nn.ReLU(inplace=True),
        nn.Flatten(),
        nn.LazyLinear(4),
    ).eval()


def test_a_region_gets_the_fall_when_it_is_covered():
    image = torch.tensor([[[[1.0, 2.0, 3.0, 4.0]]]])  # (1 + 2) * (3 + 4) = 21
    segments = torch.tensor([[0, 1, 1, 2]])
    result = feature_ablation(Product().eval(), image, target=1, segments=segments)
    # 21 - 2 * 7, 21 - 1 * 4, 21 - 3 * 3
    assert_close(result.values, torch.tensor([[[7.0, 17.0, 17.0, 12.0]]]))
    assert result.measures["region_values"] == [7.0, 17.0, 12.0]
    assert result.score == 21.0


def test_a_baseline_may_be_any_image():
    image = torch.tensor([[[[1.0, 2.0, 3.0, 4.0]]]])
    segments = torch.tensor([[0, 0, 1, 1]])
    cover = torch.tensor([[[[0.5, 0.5, 1.0, 9.0]]]])
    result = feature_ablation(Product().eval(), image, target=1, segments=segments, baseline=cover)
    assert_close(result.values, torch.tensor([[[14.0, 14.0, -9.0, -9.0]]]))


@settings(max_examples=20)
@given(data=st.data())
def test_equals_captum(data):
    height, width = (data.draw(st.integers(5, 16)) for _ in range(2))
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 2**16)))
    n_labels = data.draw(st.integers(1, 9))
    segments = numbered(torch.randint(n_labels, (height, width), generator=generator))
    image = torch.randn(1, 3, height, width, generator=generator)
    model = convnet()
    model(image.clone())
    baseline = data.draw(st.sampled_from([0.0, -1.5, image.flip(3)]))
    expected = FeatureAblation(lambda x: model(x.clone())).attribute(
        image, baselines=baseline, target=1, feature_mask=segments
    )
    result = feature_ablation(
        model,
        image,
        target=1,
        segments=segments,
        baseline=baseline,
        engine=data.draw(st.sampled_from(["dense", "delta"])),
        chunk_size=data.draw(st.integers(1, 12)),
    )
    assert_close(result.values, expected[0], rtol=1e-4, atol=1e-5)


@settings(max_examples=15)
@given(data=st.data())
def test_regions_of_any_shape_are_carried_through_a_network_as_full_passes_do(data):
    height, width = (data.draw(st.integers(12, 40)) for _ in range(2))
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 2**16)))
    coarse = torch.randint(data.draw(st.integers(1, 40)), (1, 1, 5, 4), generator=generator)
    segments = numbered(F.interpolate(coarse.float(), (height, width))[0, 0].long())
    image = torch.randn(1, 3, height, width, generator=generator, dtype=torch.float64)
    model = residual().double()
    options = {
        "target": 2,
        "segments": segments,
        "baseline": data.draw(st.sampled_from([0.0, -1.5, image.flip(3)])),
        "chunk_size": data.draw(st.sampled_from([None, 1, 3])),
    }
    found = feature_ablation(model, image, engine="delta", **options)
    expected = feature_ablation(model, image, engine="dense", **options)
    assert (found.params["engine"], expected.params["engine"]) == ("delta", "dense")
    assert_close(found.values, expected.values, rtol=1e-5, atol=1e-7)


def test_a_model_that_cannot_be_traced_is_passed_whole_and_the_result_says_so():
    class Branching(nn.Module):
        def forward(self, x):
            total = x.flatten(1).sum(1)
            return torch.stack([total, -total if total.sum() > 1e9 else 2 * total], dim=1)

    image, segments = torch.ones(1, 1, 8, 8), grid_segments(8, 8, cell=2)
    found = feature_ablation(Branching().eval(), image, target=1, segments=segments)
    assert_close(found.values, torch.full((1, 8, 8), 8.0))
    assert found.params["engine"] == "dense"
    assert found.notes[0].startswith("Computed by passing every covered image: ")
    with pytest.raises(ModelError):
        feature_ablation(Branching().eval(), image, target=1, segments=segments, engine="delta")


def test_equals_occlusion_on_a_grid():
    model, image = convnet(), torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    model(image.clone())
    segments = grid_segments(8, 8, cell=4)
    result = feature_ablation(model, image, target=2, segments=segments, output="softmax")
    expected = occlusion(model, image, target=2, window=4, stride=4, output="softmax")
    assert_close(result.values, expected.values, rtol=1e-4, atol=1e-6)
    assert result.channels_share


def test_the_record_is_json_and_the_model_left_as_it_was():
    model, image = convnet(), torch.ones(1, 3, 8, 8)
    model(image.clone())
    seen = []
    result = feature_ablation(
        model,
        image,
        target=0,
        segments=grid_segments(8, 8, cell=2),
        chunk_size=5,
        progress=lambda done, total: seen.append((done, total)),
    )
    record = json.loads(json.dumps(result.params))
    assert record["segments"]["n_segments"] == 16
    assert record["output"] == "logit"
    assert seen == [(4, 16), (8, 16), (12, 16), (16, 16)]
    assert all(p.requires_grad and p.grad is None for p in model.parameters())
    assert torch.equal(image, torch.ones(1, 3, 8, 8))


def test_two_threads_get_their_own_maps():
    model, images = convnet(), torch.randn(2, 3, 8, 8)
    model(images.clone())
    segments = grid_segments(8, 8, cell=2)

    def explain(index):
        return feature_ablation(model, images[index, None], target=index, segments=segments).values

    alone = [explain(0), explain(1)]
    with ThreadPoolExecutor(2) as pool:
        for index, values in enumerate(pool.map(explain, [0, 1] * 8)):
            assert torch.equal(values, alone[index % 2])


def test_what_cannot_be_done_is_refused():
    model, image = Product().eval(), torch.ones(1, 1, 2, 2)
    segments = grid_segments(2, 2, cell=1)
    with pytest.raises(InputError, match="segments has shape"):
        feature_ablation(model, image, target=1, segments=segments[:1])
    with pytest.raises(InputError, match="chunk_size is 0"):
        feature_ablation(model, image, target=1, segments=segments, chunk_size=0)
    with pytest.raises(TargetError):
        feature_ablation(model, image, target=2, segments=segments)
    with pytest.raises(ModelError, match="train mode"):
        feature_ablation(Product(), image, target=1, segments=segments)
    with pytest.raises(Cancelled, match="0 of 4"):
        feature_ablation(model, image, target=1, segments=segments, cancelled=lambda: True)


def test_regions_passed_together_lie_below_one_another():
    image = torch.zeros(1, 1, 40, 40)
    order = torch.randperm(25)
    covers = RegionPerturbations(image, image, order[grid_segments(40, 40, cell=8)])
    tiles = covers.tiles(3)
    assert sorted(np.concatenate([tile.regions for tile in tiles])) == list(range(25))
    assert max(map(len, tiles)) == 3
    places = order.argsort().numpy()  # of the grid, row by row
    for tile in tiles:
        assert np.all(np.diff(places[tile.regions]) % 5 == 0)
        assert np.all(np.diff(places[tile.regions]) > 0)
        assert (tile.height, tile.right - tile.left) == (8, 8)
    upper, lower = tiles[0].halves()
    assert [*upper.regions, *lower.regions] == tiles[0].regions.tolist()
    assert upper.area == lower.area == tiles[0].area


def test_a_background_does_not_make_the_rectangles_of_spots_large():
    spots = grid_segments(48, 48, cell=4)
    segments = numbered(torch.where(spots % 3 == 0, spots, 1))
    image = torch.rand(1, 3, 48, 48)
    background = int(segments.flatten().bincount().argmax())
    tiles = RegionPerturbations(image, image, segments).tiles(16)
    assert [tile.regions.tolist() for tile in tiles if tile.area > 48 * 12] == [[background]]
    options = {"target": 2, "segments": segments}
    found = feature_ablation(residual(), image, engine="delta", **options)
    expected = feature_ablation(residual(), image, engine="dense", **options)
    assert_close(found.values, expected.values, rtol=1e-3, atol=1e-6)
