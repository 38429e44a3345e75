import pytest
import torch
from captum.attr import GradientShap
from torch.testing import assert_close

from tests.small_nets import Linear, plain
from xai_core import expected_gradients, gradient_shap
from xai_core.errors import InputError

IMAGE = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(5))


def test_a_linear_model_gives_weight_times_distance_wherever_the_points_lie():
    w, x, b = torch.randn(3, 3, 5, 7)
    result = gradient_shap(
        Linear(w).eval(), x[None], target=1, baselines=[b], n_samples=3, noise_level=0.0
    )
    assert_close(result.values, w * (x - b))
    assert abs(result.convergence_delta) < 1e-4
    assert result.measures["delta_standard_error"] < 1e-4


def test_several_baselines_count_as_often_as_they_are_drawn():
    w, x, *baselines = torch.randn(4, 3, 5, 7)
    result = gradient_shap(
        Linear(w).eval(), x[None], target=1, baselines=baselines, n_samples=9, noise_level=0.0
    )
    assert abs(result.convergence_delta) < 1e-4
    mixtures = [w * (x - (n * baselines[0] + (9 - n) * baselines[1]) / 9) for n in range(10)]
    misses = [float((result.values - each).abs().max()) for each in mixtures]
    assert min(misses) < 1e-4


def test_noise_averages_out_within_its_standard_error():
    w, x = torch.randn(2, 3, 5, 7, generator=torch.Generator().manual_seed(0))
    result = gradient_shap(Linear(w).eval(), x[None], target=1, n_samples=2000, noise_level=0.2)
    assert abs(result.convergence_delta) < 4 * result.measures["delta_standard_error"]
    # Each value is w (noise) on average over the samples.
    expected = float((w * 0.2 * (x.max() - x.min())).square().mean().sqrt()) / 2000**0.5
    assert result.measures["standard_error"] == pytest.approx(expected, rel=0.05)


def test_tends_to_expected_gradients_and_so_does_captum():
    model, baselines = plain(), torch.randn(3, 3, 16, 16)
    exact = expected_gradients(model, IMAGE, target=3, baselines=baselines, n_steps=100)
    ours = gradient_shap(
        model, IMAGE, target=3, baselines=baselines, n_samples=3000, noise_level=0.0, chunk_size=300
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        theirs = GradientShap(model).attribute(
            IMAGE, baselines=baselines, target=3, n_samples=3000, stdevs=0.0
        )[0]
    for values in (ours.values, theirs.detach().float()):
        missed = float((values - exact.values).square().mean().sqrt())
        assert missed < 3 * ours.measures["standard_error"]


@pytest.mark.parametrize("chunk_size", [1, 3, None])
def test_chunks_do_not_change_the_map(chunk_size):
    options = {"target": 2, "n_samples": 7, "baselines": [None, 1.0], "seed": 3}
    whole = gradient_shap(plain(), IMAGE, chunk_size=7, **options)
    parts = gradient_shap(plain(), IMAGE, chunk_size=chunk_size, **options)
    assert_close(parts.values, whole.values)
    assert parts.baseline_score == whole.baseline_score


def test_no_baseline_is_refused():
    with pytest.raises(InputError, match="baselines is empty"):
        gradient_shap(plain(), IMAGE, target=0, baselines=[])
