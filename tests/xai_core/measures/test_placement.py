import numpy as np
import pytest

from xai_core.errors import MapError
from xai_core.measures.placement import concentration, frame_share, saturated_share

RNG = np.random.default_rng(0)


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


@pytest.mark.parametrize("measure", [frame_share, concentration, saturated_share])
def test_refuses_to_measure_what_is_not_finite(measure):
    with pytest.raises(MapError):
        measure(np.full((4, 4), np.nan))
