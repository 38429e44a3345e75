import json

import numpy as np
import pytest
import torch
from captum.metrics import infidelity as captums

from tests.small_nets import Linear, residual
from xai_core import integrated_gradients
from xai_core.errors import MapError
from xai_core.heat import cell_of
from xai_core.measures.infidelity import best_scale, cell_areas, infidelity, missed_share
from xai_core.measures.trial import hold_trial

RNG = np.random.default_rng(0)
BASELINE = 0.25


def image(side):
    return torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0))


def by_captum(model, pixels, values, trial, *, target, normalize=False):
    """Return Captum's infidelity when the trial's own regions give way to the baseline."""
    side = trial.cells.side
    rows, columns = (cell_of(n, side) for n in pixels.shape[2:])
    gone = torch.from_numpy(trial.regions[:, rows][:, :, columns])[:, None]
    gone = gone.expand(-1, pixels.shape[1], -1, -1)

    def regions(inputs, baselines):
        return gone.float(), torch.where(gone, baselines, inputs)

    return captums(
        model,
        regions,
        pixels,
        values[None],
        baselines=BASELINE,
        target=target,
        n_perturb_samples=len(gone),
        max_examples_per_batch=len(gone),
        normalize=normalize,
    ).item()


@pytest.mark.parametrize("side", [24, 37])
def test_the_value_is_captums_for_the_same_regions(side):
    model, pixels = residual(), image(side)
    map_ = integrated_gradients(model, pixels, target=2, baseline=BASELINE, n_steps=20)
    trial = hold_trial(model, pixels, BASELINE, target=2)
    found = infidelity(map_.heat.numpy(), trial)
    expected = by_captum(model, pixels, map_.values, trial, target=2)
    assert found.value == pytest.approx(expected, rel=1e-3)


def test_the_share_is_captums_at_the_best_scale():
    model, pixels = residual(), image(24)
    map_ = integrated_gradients(model, pixels, target=2, baseline=BASELINE, n_steps=20)
    trial = hold_trial(model, pixels, BASELINE, target=2)
    found = infidelity(100 * map_.heat.numpy(), trial)
    best = by_captum(model, pixels, 100 * map_.values, trial, target=2, normalize=True)
    assert found.share == pytest.approx(best / np.mean(trial.drops**2), rel=1e-3)


def test_the_exact_map_of_a_linear_model_misses_nothing():
    weight, pixels = torch.randn(20, 20), torch.rand(1, 1, 20, 20)
    trial = hold_trial(Linear(weight).eval(), pixels, 0.0, target=1)
    parts = (weight * pixels[0, 0]).numpy()
    found = infidelity(parts, trial)
    assert found.value == pytest.approx(0, abs=1e-6)
    assert found.share == pytest.approx(0, abs=1e-9)
    assert infidelity(-parts, trial).share == 1
    assert infidelity(5 * parts, trial).share == pytest.approx(0, abs=1e-9)


def test_an_even_map_foretells_by_area():
    pixels = torch.rand(1, 1, 20, 20)
    trial = hold_trial(Linear(torch.ones(20, 20)).eval(), pixels, 0.0, target=1)
    found = infidelity(np.full((20, 20), 3.0), trial)
    assert found.share == pytest.approx(found.even_share)
    assert 0 < found.share < 0.2


def test_a_silent_map_misses_all():
    trial = hold_trial(residual(), image(24), 0.0, target=2)
    found = infidelity(np.zeros((24, 24)), trial)
    assert (found.share, found.value) == (1, pytest.approx(np.mean(trial.drops**2)))


def test_a_score_that_never_falls_foretells_nothing():
    trial = hold_trial(residual(), torch.ones(1, 3, 24, 24), 1.0, target=2)
    assert infidelity(RNG.normal(size=(24, 24)), trial) is None


def test_refuses_nan():
    trial = hold_trial(residual(), image(24), 0.0, target=2)
    with pytest.raises(MapError, match="finite"):
        infidelity(np.full((24, 24), np.nan), trial)


def test_scales_are_positive_and_best():
    foretold, drops = np.array([1.0, 2.0]), np.array([2.0, 4.0])
    assert best_scale(foretold, drops) == 2
    assert best_scale(-foretold, drops) == 0
    assert best_scale(0 * foretold, drops) == 0
    assert missed_share(foretold, drops) == 0
    assert missed_share(np.array([1.0, 0.0]), np.array([1.0, 1.0])) == pytest.approx(0.5)


def test_cells_cover_the_map_once():
    areas = cell_areas((37, 20), 16)
    assert areas.sum() == 37 * 20
    assert set(np.unique(areas)) == {2.0, 3.0, 4.0, 6.0}


def test_what_is_stored_is_json_safe():
    trial = hold_trial(residual(), image(24), 0.0, target=2)
    stored = infidelity(RNG.normal(size=(24, 24)).astype(np.float32), trial).to_json()
    assert json.loads(json.dumps(stored)) == stored
    assert set(stored) == {"value", "share", "even_share"}
