import numpy as np
import pytest

from xai_core.errors import MapError
from xai_core.measures.disagreement import disagreement_map

RNG = np.random.default_rng(0)


def test_a_map_and_its_multiple_agree_everywhere():
    heat = RNG.normal(size=(32, 48))
    np.testing.assert_allclose(disagreement_map(heat, 7 * heat), 0, atol=1e-7)


def test_maps_that_speak_for_and_against_differ_fully():
    heat = np.zeros((32, 32))
    heat[:16] = 1
    found = disagreement_map(heat, -heat)
    assert (found[:16] == 1).all()
    assert (found[16:] == 0).all()
    np.testing.assert_array_equal(disagreement_map(-heat, heat), -found)


def test_where_one_is_silent_the_other_is_half_contradicted():
    a, b = np.zeros((32, 32)), np.zeros((32, 32))
    a[:2, :2], b[30:, 30:] = 5, 0.1
    found = disagreement_map(a, b)
    assert (found[:2, :2] == 0.5).all()
    assert (found[30:, 30:] == -0.5).all()
    assert np.count_nonzero(found) == 8


def test_grain_within_a_cell_is_no_contradiction():
    fine = RNG.normal(size=(64, 64))
    coarse = fine.reshape(16, 4, 16, 4).mean((1, 3)).repeat(4, 0).repeat(4, 1)
    np.testing.assert_allclose(disagreement_map(fine, coarse), 0, atol=1e-6)


def test_it_has_the_first_maps_size_and_is_even_within_cells():
    found = disagreement_map(RNG.normal(size=(50, 31)), RNG.normal(size=(20, 20)))
    assert (found.shape, found.dtype) == ((50, 31), np.float32)
    assert len(np.unique(found)) <= 16**2
    assert np.abs(found).max() <= 1


def test_unrelated_maps_reach_what_is_stated():
    spread = [np.std(disagreement_map(*RNG.normal(size=(2, 64, 64)))) for _ in range(50)]
    assert 0.2 < np.mean(spread) < 0.35


@pytest.mark.parametrize("heat", [np.zeros((16, 16)), np.full((16, 16), np.nan)])
def test_refuses_a_map_that_says_nothing(heat):
    with pytest.raises(MapError):
        disagreement_map(RNG.normal(size=(16, 16)), heat)
