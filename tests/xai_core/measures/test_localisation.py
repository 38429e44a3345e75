import json
from dataclasses import asdict

import numpy as np
import pytest

from xai_core.errors import MapError
from xai_core.measures.localisation import mask_share

RNG = np.random.default_rng(0)


def test_a_mask_gets_the_positive_weight_inside_it():
    heat, mask = np.zeros((10, 10)), np.zeros((10, 10), bool)
    mask[:5] = True
    heat[2, 3], heat[7, 7], heat[8, 8] = 3.0, 1.0, -9.0
    share = mask_share(heat, mask)
    assert (share.inside, share.area, share.hit) == (0.75, 0.5, True)


def test_the_pointing_game_forgives_within_its_tolerance():
    heat, mask = np.zeros((10, 10)), np.zeros((10, 10), bool)
    mask[0, 0] = heat[3, 4] = 1
    assert not mask_share(heat, mask, tolerance_px=4).hit
    assert mask_share(heat, mask, tolerance_px=5).hit
    assert not mask_share(-heat, mask, tolerance_px=20).hit


@pytest.mark.parametrize("mask", [np.zeros((4, 4), bool), np.ones((4, 5), bool)])
def test_refuses_masks_that_do_not_fit(mask):
    with pytest.raises(MapError, match="allowed"):
        mask_share(np.ones((4, 4)), mask)


def test_a_map_of_the_mask_reaches_the_most_and_its_reverse_nothing():
    mask = np.zeros((12, 12), bool)
    mask[3:6, 4:9] = True
    best, worst = mask_share(mask * 2.0, mask), mask_share(mask * -2.0, mask)
    assert (best.inside, best.hit, best.iou) == (1.0, True, 1.0)
    assert (worst.inside, worst.hit, worst.iou) == (0.0, False, 0.0)


def test_half_of_the_highest_pixels_inside_make_a_third_of_the_union():
    heat, mask = np.zeros((10, 10)), np.zeros((10, 10), bool)
    mask[0, :4] = True
    heat[0, 2:6] = 1.0
    assert mask_share(heat, mask).iou == pytest.approx(1 / 3)


def test_unrelated_maps_reach_the_stated_chances():
    mask = np.zeros((24, 24), bool)
    mask[5:12, 8:20] = True
    found = [mask_share(RNG.normal(size=(24, 24)), mask, tolerance_px=2) for _ in range(600)]
    assert np.mean([f.hit for f in found]) == pytest.approx(found[0].chance_hit, abs=0.05)
    assert np.mean([f.iou for f in found]) == pytest.approx(found[0].chance_iou, abs=0.01)
    assert np.mean([f.inside for f in found]) == pytest.approx(found[0].area, abs=0.01)


def test_refuses_a_map_with_nan_and_gives_json_safe_numbers():
    mask = np.ones((4, 4), bool)
    with pytest.raises(MapError, match="allowed"):
        mask_share(np.full((4, 4), np.nan), mask)
    assert json.dumps(asdict(mask_share(np.eye(4, dtype=np.float32), mask)))
