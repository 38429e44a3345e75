import json
from dataclasses import asdict

import numpy as np
import pytest

from xai_core.errors import MapError
from xai_core.trust import (
    agreement,
    cell_means,
    frame_share,
    map_health,
    relative_delta,
)

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("delta", "span", "expected"),
    [(0.1, 2.0, 0.05), (-0.1, -2.0, 0.05), (0.0, 1.0, 0.0), (0.1, 0.0, None), (0.1, 1e-9, None)],
)
def test_relative_delta(delta, span, expected):
    assert relative_delta(delta, span) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("heat", "problem"),
    [
        (np.zeros((3, 4)), "flat"),
        (np.full((3, 4), -2.5), "flat"),
        (np.array([[1.0, np.nan], [np.inf, 0.0]]), "2 values of the map are NaN"),
        (np.eye(3) * 1e-20, None),
    ],
)
def test_health_names_flat_and_broken_maps(heat, problem):
    found = map_health(heat).problem
    assert found is None if problem is None else problem in found


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


def test_cell_means_of_uneven_cells():
    heat = np.arange(15.0).reshape(3, 5)
    np.testing.assert_allclose(cell_means(heat, 2), [[0.5, 3.0], [8.0, 10.5]])


def test_a_marker_gives_its_corner_all_the_weight():
    heat = np.zeros((100, 100))
    heat[2:12, 85:97] = -3
    share = frame_share(heat)
    assert share.corners == 1
    assert share.corners_area == pytest.approx(0.16)


def test_an_even_map_gives_frame_and_corners_their_area():
    share = frame_share(np.ones((50, 80)) + 1e-3 * RNG.normal(size=(50, 80)))
    assert share.border == pytest.approx(share.border_area, rel=1e-3)
    assert share.corners == pytest.approx(share.corners_area, rel=1e-3)


def test_refuses_to_measure_what_is_not_finite():
    broken = np.full((4, 4), np.nan)
    for measure in (frame_share, lambda h: agreement(h, h)):
        with pytest.raises(MapError):
            measure(broken)


def test_results_are_json_safe():
    heat = RNG.normal(size=(20, 20)).astype(np.float32)
    results = [agreement(heat, heat), frame_share(heat)]
    assert json.dumps([asdict(result) for result in [*results, map_health(heat)]])
