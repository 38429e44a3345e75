import json
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.testing import assert_close

from xai_core.errors import Cancelled, InputError
from xai_core.methods.perturbation.rise import _Masks, rise
from xai_core.runtime.chunks import Chunk


class Spot(nn.Module):
    """Scores (height, height + 10 times the mean of the rows and columns 4 to 7)."""

    def __init__(self, height=0.0):
        super().__init__()
        self.height = height

    def forward(self, x):
        spot = x[:, :, 4:8, 4:8].flatten(1).mean(1)
        return torch.stack([torch.full_like(spot, self.height), self.height + 10 * spot], dim=1)


def drawn(n_masks, *, size=16, grid=4, share_open=0.5, seed=0):
    image = torch.zeros(1, 1, size, size)
    return _Masks.drawn(image, n_masks, grid=grid, share_open=share_open, seed=seed)


def test_masks_are_smooth_and_cover_every_pixel_alike():
    masks = drawn(4000, share_open=0.3).at(Chunk(0, 4000))
    assert masks.shape == (4000, 1, 16, 16)
    assert 0 <= masks.min() < masks.max() <= 1
    assert_close(masks.mean(0), torch.full((1, 16, 16), 0.3), atol=0.03, rtol=0)
    assert masks.diff(dim=3).abs().max() <= 4 / 20 + 0.06  # a cell of 4 px, drawn 5 cells wide


def test_a_mask_is_the_upsampled_grid_moved_by_its_shift():
    masks = drawn(6, size=10, grid=3)
    assert set(masks.grids.unique().tolist()) == {0.0, 1.0}
    assert 0 <= masks.shifts.min() < masks.shifts.max() <= 3  # less than a cell of 4 px
    whole = F.interpolate(masks.grids, size=(16, 16), mode="bilinear", align_corners=False)
    for index, (top, left) in enumerate(masks.shifts.tolist()):
        expected = whole[index, :, top : top + 10, left : left + 10]
        assert torch.equal(masks.at(Chunk(index, index + 1))[0], expected)


def test_the_map_is_the_covariance_of_score_and_mask():
    model, image = Spot().eval(), torch.rand(1, 2, 12, 12)
    result = rise(model, image, target=1, n_masks=50, grid=3, share_open=0.4, baseline=0.2, seed=7)
    masks = drawn(50, size=12, grid=3, share_open=0.4, seed=7).at(Chunk(0, 50))
    scores = model(masks * image + (1 - masks) * 0.2)[:, 1]
    pairs = torch.stack([scores.expand(144, 50), masks.view(50, 144).T], dim=1)
    expected = torch.stack([torch.cov(pair)[0, 1] for pair in pairs]).view(1, 12, 12) / 0.4
    assert_close(result.values, expected, rtol=1e-4, atol=1e-5)


def test_it_lights_up_where_the_score_comes_from():
    result = rise(Spot().eval(), torch.ones(1, 3, 16, 16), target=1, n_masks=600, grid=4)
    assert result.values.shape == (1, 16, 16)
    row, column = divmod(int(result.heat.argmax()), 16)
    assert 4 <= row < 8
    assert 4 <= column < 8
    assert result.heat[5, 5] > 10 * result.heat[12:, 12:].abs().mean()


def test_the_scores_own_height_does_not_matter():
    image = torch.rand(1, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    low, high = (rise(Spot(height).eval(), image, target=1, n_masks=40) for height in (0.0, 100.0))
    assert_close(low.values, high.values, rtol=1e-3, atol=1e-4)
    flat = rise(Spot(100.0).eval(), image, target=0, n_masks=40)
    assert not flat.values.any()
    assert flat.measures == {"standard_error": 0.0, "relative_standard_error": None}


def test_the_standard_error_is_the_spread_over_seeds():
    model, image = Spot().eval(), torch.ones(1, 1, 16, 16)
    results = [rise(model, image, target=1, n_masks=200, seed=seed) for seed in range(40)]
    spread = torch.stack([result.heat for result in results]).var(0).mean().sqrt()
    stated = sum(result.measures["standard_error"] for result in results) / 40
    assert stated == pytest.approx(float(spread), rel=0.1)
    largest = float(results[0].heat.abs().max())
    assert results[0].measures["relative_standard_error"] == pytest.approx(
        results[0].measures["standard_error"] / largest, rel=1e-5
    )


def test_a_seed_repeats_the_map_whatever_the_chunks_and_threads():
    model, image = Spot().eval(), torch.rand(1, 1, 16, 16)
    seen = []
    first = rise(
        model,
        image,
        target=1,
        n_masks=33,
        chunk_size=8,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(8, 33), (16, 33), (24, 33), (32, 33), (33, 33)]
    assert_close(first.values, rise(model, image, target=1, n_masks=33).values)
    with ThreadPoolExecutor(2) as pool:
        seeds = list(
            pool.map(lambda s: rise(model, image, target=1, n_masks=33, seed=s).values, [0, 1] * 5)
        )
    for index, values in enumerate(seeds):
        assert torch.equal(values, seeds[index % 2])
    assert not torch.equal(seeds[0], seeds[1])
    assert json.loads(json.dumps(first.params))["seed"] == 0


def test_a_cancel_leaves_nothing_behind():
    with pytest.raises(Cancelled, match="0 of 2000"):
        rise(Spot().eval(), torch.ones(1, 1, 8, 8), target=1, cancelled=lambda: True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_masks": 1}, "n_masks is 1; allowed: 2 or more"),
        ({"grid": 0}, "grid is 0; allowed here: 1 to 8 cells"),
        ({"grid": 9}, "grid is 9"),
        ({"share_open": 1.0}, "share_open is 1.0"),
        ({"chunk_size": 0}, "chunk_size is 0"),
    ],
)
def test_unusable_options_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        rise(Spot().eval(), torch.ones(1, 1, 8, 8), target=1, **options)
