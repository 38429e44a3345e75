import numpy as np
import pytest

from xai_core.measures.chance import shifted_agreement
from xai_core.measures.similarity import agreement


def spot(y: int, x: int, side: int = 32) -> np.ndarray:
    heat = np.zeros((side, side), np.float32)
    heat[y : y + 4, x : x + 4] = 1.0
    return heat + np.linspace(0, 1e-3, side * side, dtype=np.float32).reshape(side, side)


def test_two_spots_on_one_place_agree_far_more_than_shifted_ones():
    found, by_chance = agreement(spot(12, 12), spot(12, 12)), shifted_agreement(*[spot(12, 12)] * 2)
    assert found.top_iou == 1.0
    assert by_chance["top_k_iou"] < 0.5


def test_silent_maps_look_alike_by_chance_too():
    by_chance = shifted_agreement(spot(4, 4), spot(20, 20))
    assert by_chance["ssim"] > 0.4
    assert by_chance["sign"] == pytest.approx(1.0)


def test_noise_reaches_what_noise_reaches():
    a, b = np.random.default_rng(0).normal(size=(2, 64, 64))
    by_chance = shifted_agreement(a, b)
    assert by_chance["spearman"] == pytest.approx(0, abs=0.05)
    assert by_chance["sign"] == pytest.approx(0.5, abs=0.05)
    assert by_chance["top_k_iou"] == pytest.approx(0.05, abs=0.03)
    assert by_chance["ssim"] == pytest.approx(0, abs=0.05)


def test_maps_too_small_for_windows_have_no_structure():
    assert shifted_agreement(spot(1, 1, 6), spot(2, 2, 6))["ssim"] is None
