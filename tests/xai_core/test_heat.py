import json
from dataclasses import asdict

import numpy as np
import pytest

from xai_core.errors import MapError
from xai_core.heat import cell_means, finite, map_health


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


def test_cell_means_of_uneven_cells():
    heat = np.arange(15.0).reshape(3, 5)
    np.testing.assert_allclose(cell_means(heat, 2), [[0.5, 3.0], [8.0, 10.5]])


def test_refuses_what_is_not_finite():
    with pytest.raises(MapError, match="16 values that are NaN"):
        finite(np.full((4, 4), np.nan))


def test_health_is_json_safe():
    assert json.dumps(asdict(map_health(np.eye(3, dtype=np.float32))))
