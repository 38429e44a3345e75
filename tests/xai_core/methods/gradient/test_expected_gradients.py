import pytest
import torch
from torch.testing import assert_close

from tests.small_nets import Linear, plain
from xai_core import baseline_sensitivity, expected_gradients, integrated_gradients
from xai_core.errors import InputError

IMAGE = torch.randn(1, 3, 20, 24, generator=torch.Generator().manual_seed(5))
BLURRED = IMAGE.mean((2, 3), keepdim=True)


def test_the_map_is_the_mean_of_single_maps_and_the_spread_their_deviation():
    model, baselines = plain(), [None, 0.5, BLURRED]
    singles = [
        integrated_gradients(model, IMAGE, target=2, baseline=each, n_steps=9) for each in baselines
    ]
    result = expected_gradients(model, IMAGE, target=2, baselines=baselines, n_steps=9)
    assert_close(result.values, torch.stack([each.values for each in singles]).mean(0))
    heats = torch.stack([each.heat for each in singles])
    assert_close(result.spread, heats.std(0, correction=0))
    assert result.measures == {
        "relative_spread": pytest.approx(float(result.spread.norm() / result.heat.norm()))
    }
    mean_delta = sum(each.convergence_delta for each in singles) / 3
    assert result.convergence_delta == pytest.approx(mean_delta, abs=1e-5)


def test_a_linear_model_gives_weight_times_distance_from_the_mean_baseline():
    w, x, *baselines = torch.randn(5, 3, 5, 7)
    result = expected_gradients(
        Linear(w).eval(), x[None], target=1, baselines=torch.stack(baselines), n_steps=1
    )
    assert_close(result.values, w * (x - sum(baselines) / 3))
    assert_close(result.spread, (w * torch.stack(baselines)).sum(1).std(0, correction=0))
    assert abs(result.convergence_delta) < 1e-4


def test_one_baseline_has_no_spread():
    result = expected_gradients(plain(), IMAGE, target=0, baselines=[0.1], n_steps=3)
    assert not result.spread.any()
    assert result.measures["relative_spread"] == 0


def test_secants_make_each_path_complete():
    result = expected_gradients(
        plain(), IMAGE, target=2, baselines=[None, BLURRED], n_steps=2, rule="chord"
    )
    assert result.relative_delta < 1e-4


def test_the_adaptive_rule_says_how_far_the_worst_path_came():
    options = {"target": 2, "n_steps": 17, "rule": "adaptive", "tolerance": 1e-4}
    result = expected_gradients(plain(), IMAGE, baselines=[None, 1.0], **options)
    assert result.measures["n_points"] == 34
    assert not result.measures["has_converged"]
    assert len(result.notes) == 2


def test_progress_counts_the_points_of_all_paths():
    seen = []
    expected_gradients(
        plain(),
        IMAGE,
        target=0,
        baselines=[0.0, 1.0],
        n_steps=5,
        chunk_size=3,
        progress=lambda *at: seen.append(at),
    )
    assert seen == [(3, 10), (5, 10), (8, 10), (10, 10)]


def test_no_baseline_is_refused():
    with pytest.raises(InputError, match="baselines is empty; allowed: one baseline or more"):
        expected_gradients(plain(), IMAGE, target=0, baselines=[])


def test_sensitivity_to_the_baseline_is_the_spread_as_a_map():
    options = {"target": 2, "baselines": [None, 0.5, BLURRED], "n_steps": 4}
    result = baseline_sensitivity(plain(), IMAGE, **options)
    assert_close(result.heat, expected_gradients(plain(), IMAGE, **options).spread)
    assert result.values.shape == IMAGE.shape[1:]
    assert (result.method, result.convergence_delta) == ("baseline_sensitivity", None)
    with pytest.raises(InputError, match="1 baselines; allowed: 2 or more"):
        baseline_sensitivity(plain(), IMAGE, target=0, baselines=[0.0])
