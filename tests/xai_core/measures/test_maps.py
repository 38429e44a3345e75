import json

import numpy as np
import pytest
import torch

from tests.maps import attribution
from xai_core.measures.maps import map_measures
from xai_core.measures.placement import saturated_share

RNG = np.random.default_rng(0)
NOISE = RNG.normal(size=(32, 32))
BEYOND_HEALTH = ("top_cell", "top_pixel", "saturated_share", "agreement")


def test_a_map_with_nan_is_measured_no_further():
    broken = NOISE.copy()
    broken[3, 4] = np.nan
    found = map_measures(attribution(broken, delta=float("nan"), span=1.0), attribution(NOISE))
    assert (found["nan"], found["flat"], found["relative_delta"]) == (True, False, None)
    assert [found[name] for name in BEYOND_HEALTH] == [None] * 4


def test_a_flat_map_is_measured_no_further():
    found = map_measures(attribution(np.full((32, 32), 0.25)), attribution(NOISE))
    assert (found["nan"], found["flat"]) == (False, True)
    assert [found[name] for name in BEYOND_HEALTH] == [None] * 4


def test_a_map_of_two_pixels_gives_each_half():
    heat = np.zeros((32, 32))
    heat[3, 4] = heat[20, 21] = 2.0
    found = map_measures(attribution(heat), None)
    assert (found["top_pixel"], found["top_cell"]) == (0.5, 0.5)


def test_an_even_map_gives_a_pixel_and_a_cell_their_area():
    heat = 1 + 1e-4 * NOISE
    found = map_measures(attribution(heat), None)
    assert found["top_pixel"] == pytest.approx(1 / 32**2, rel=1e-2)
    assert found["top_cell"] == pytest.approx(1 / 16**2, rel=1e-2)


def test_clipping_shows_at_either_end():
    clipped = np.clip(NOISE, -0.5, 0.5)
    expected = np.mean(np.abs(NOISE) >= 0.5)
    assert saturated_share(clipped) == pytest.approx(expected)
    assert saturated_share(NOISE) == pytest.approx(1 / 32**2)


def test_silence_is_not_saturation():
    heat = np.zeros((10, 10))
    heat[0, :5] = [1, 2, 3, 4, 5]
    assert saturated_share(heat) == 0.01
    assert saturated_share(np.zeros((4, 4))) == 0


def test_the_sum_is_judged_against_the_change_of_score():
    found = map_measures(attribution(NOISE, delta=-0.3, span=2.0), None)
    assert found["relative_delta"] == pytest.approx(0.15)
    assert not found["no_span"]


def test_a_sum_that_has_nothing_to_meet_is_said():
    found = map_measures(attribution(NOISE, delta=0.0, span=0.0), None)
    assert (found["relative_delta"], found["no_span"]) == (None, True)


def test_a_method_that_promises_no_sum_has_none_to_miss():
    found = map_measures(attribution(NOISE), None)
    assert (found["relative_delta"], found["no_span"]) == (None, False)


def test_what_speaks_against_the_class_counts_for_no_corner():
    heat = np.zeros((40, 40))
    heat[:4, :4], heat[18:22, 18:22] = -5, 1
    found = map_measures(attribution(heat), None)
    assert (found["corner_share"], found["border_share"]) == (0, 0)
    assert map_measures(attribution(-heat), None)["corner_share"] == 1


def test_a_map_agrees_with_its_multiple():
    found = map_measures(attribution(NOISE), attribution(3 * NOISE, method="occlusion"))
    agreement = found["agreement"]
    assert agreement["with"] == "occlusion"
    assert agreement["spearman"] == pytest.approx(1)
    assert agreement["ssim"] == pytest.approx(1)
    assert (agreement["top_k_iou"], agreement["sign"]) == (1, 1)


@pytest.mark.parametrize("other", [np.zeros((32, 32)), np.full((32, 32), np.nan)])
def test_there_is_no_agreement_with_a_map_that_says_nothing(other):
    assert map_measures(attribution(NOISE), attribution(other))["agreement"] is None


def test_small_maps_have_no_structure_to_compare():
    found = map_measures(attribution(NOISE[:4, :4]), attribution(NOISE[:4, :4]))
    assert found["agreement"]["spearman"] == pytest.approx(1)
    assert found["agreement"]["ssim"] is None


def test_maps_of_other_sizes_are_compared_on_shared_cells():
    coarse = attribution(NOISE.reshape(16, 2, 16, 2).mean((1, 3)))
    assert map_measures(attribution(NOISE), coarse)["agreement"]["spearman"] == pytest.approx(1)


def test_measures_are_json_safe():
    single = attribution(NOISE.astype(np.float32), delta=0.1, span=1.0)
    assert json.loads(json.dumps(map_measures(single, single)))["flat"] is False
    assert torch.is_tensor(single.values)
