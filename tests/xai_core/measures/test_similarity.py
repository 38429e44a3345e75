import json
from dataclasses import asdict

import numpy as np
import pytest
from scipy.stats import spearmanr
from skimage.metrics import structural_similarity

from xai_core.errors import MapError
from xai_core.heat import cell_means
from xai_core.measures.similarity import agreement, can_compare, rank_similarity, ssim

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


def test_a_map_agrees_fully_with_itself_enlarged():
    heat = RNG.normal(size=(16, 16))
    same = agreement(heat, heat.repeat(3, 0).repeat(2, 1))
    assert same.spearman == pytest.approx(1)
    assert (same.sign_agreement, same.top_iou) == (1.0, 1.0)


def test_a_map_and_its_negative_disagree():
    heat = RNG.normal(size=(16, 16))
    opposite = agreement(heat, -heat)
    assert opposite.spearman == pytest.approx(-1)
    assert (opposite.sign_agreement, opposite.top_iou) == (0.0, 0.0)


def test_unrelated_maps_reach_the_stated_chance():
    pairs = [agreement(*RNG.normal(size=(2, 16, 16))) for _ in range(200)]
    assert np.mean([p.spearman for p in pairs]) == pytest.approx(0, abs=0.02)
    assert np.mean([p.sign_agreement for p in pairs]) == pytest.approx(0.5, abs=0.02)
    assert np.mean([p.top_iou for p in pairs]) == pytest.approx(pairs[0].chance_top_iou, abs=0.01)


def test_ties_share_their_rank():
    a = np.array([[0.0, 0.0], [1.0, 2.0]])
    b = np.array([[0.0, 1.0], [2.0, 3.0]])
    expected = 0.9486832980505138  # scipy.stats.spearmanr([0, 0, 1, 2], [0, 1, 2, 3])
    assert agreement(a, b).spearman == pytest.approx(expected)


def test_a_map_flat_on_the_grid_has_no_rank_correlation():
    checks = np.indices((32, 32)).sum(0) % 2 * 2.0 - 1
    result = agreement(checks, RNG.normal(size=(32, 32)))
    assert result.spearman is None


@pytest.mark.parametrize("kind", ["noise", "ties", "nearly constant", "one outlier"])
def test_rank_correlation_stays_what_it_was(kind):
    """As it was computed here before: Pearson's of ranks, equal values sharing their mean rank."""
    a, b = RNG.normal(size=(2, 16, 16))
    a = {"noise": a, "ties": a.round(), "nearly constant": 1 + 1e-13 * a.round()}.get(kind, a * 0)
    a[3, 3] += 5.0

    def ranks(values):
        _, group, counts = np.unique(values, return_inverse=True, return_counts=True)
        return (np.cumsum(counts) - (counts - 1) / 2)[group]

    expected = np.corrcoef(ranks(a.ravel()), ranks(b.ravel()))[0, 1]
    assert agreement(a, b).spearman == pytest.approx(expected, abs=1e-12)


def test_agreement_is_json_safe():
    heat = RNG.normal(size=(20, 20)).astype(np.float32)
    assert json.dumps(asdict(agreement(heat, heat)))


def test_maps_that_are_not_finite_do_not_compare():
    broken = np.full((4, 4), np.nan)
    with pytest.raises(MapError):
        agreement(broken, broken)
