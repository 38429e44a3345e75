import numpy as np
import pytest
from scipy.stats import spearmanr
from skimage.metrics import structural_similarity

from xai_core.errors import MapError
from xai_core.measures.similarity import can_compare, rank_similarity, ssim
from xai_core.trust import agreement, cell_means

RNG = np.random.default_rng(0)


def related(size=48):
    a = RNG.normal(size=(size, size))
    return a, a + RNG.normal(size=(size, size))


def test_rank_correlation_is_scipys_on_the_cells():
    a, b = related()
    expected = spearmanr(cell_means(a, 16).ravel(), cell_means(b, 16).ravel()).statistic
    assert rank_similarity(a, b) == pytest.approx(expected)
    assert 0.5 < expected < 0.9


def test_rank_correlation_is_scipys_with_ties():
    a, b = (np.round(heat) for heat in related(16))
    expected = spearmanr(a.ravel(), b.ravel()).statistic
    assert agreement(a, b).spearman == pytest.approx(expected)


def test_a_map_flat_on_the_cells_is_like_none():
    assert rank_similarity(np.zeros((16, 16)), RNG.normal(size=(16, 16))) == 0


def test_structure_is_scikit_images_with_silence_at_half():
    a, b = related()
    cells = [cell_means(heat, 16) for heat in (a, b)]
    first, second = (0.5 + heat / np.abs(heat).max() / 2 for heat in cells)
    expected = structural_similarity(first, second, data_range=1.0)
    assert ssim(a, b) == pytest.approx(expected)


def test_structure_knows_no_units_but_signs():
    a, b = related()
    assert ssim(a, 1000 * b) == pytest.approx(ssim(a, b))
    assert ssim(a, 0.001 * a) == pytest.approx(1)
    assert ssim(a, -a) < -0.5


def test_unrelated_maps_have_no_structure_in_common():
    found = [ssim(*RNG.normal(size=(2, 32, 32))) for _ in range(100)]
    assert np.mean(found) == pytest.approx(0, abs=0.05)


def test_a_silent_map_has_a_structure_too():
    assert ssim(np.zeros((16, 16)), np.zeros((16, 16))) == pytest.approx(1)


@pytest.mark.parametrize("heat", [np.ones((6, 40)), np.full((16, 16), np.nan)])
def test_refuses_maps_without_structure(heat):
    with pytest.raises(MapError, match="7 pixels a side or more"):
        ssim(heat, np.ones((16, 16)))


def test_windows_of_seven_cells_must_fit():
    assert can_compare(np.ones((7, 7)), np.ones((30, 9)))
    assert not can_compare(np.ones((7, 7)), np.ones((30, 6)))
