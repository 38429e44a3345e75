import pytest
import torch
from torch import nn
from torch.testing import assert_close

from xai_core import Cancelled, integrated_gradients
from xai_core.errors import InputError


class Curve(nn.Module):
    """Scores (0, f(sum of values)) for a given f."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        total = x.flatten(1).sum(1)
        return torch.stack([torch.zeros_like(total), self.function(total)], dim=1)


def explain(function, image=None, **options):
    image = torch.full((1, 1, 2, 2), 0.25) if image is None else image
    return integrated_gradients(Curve(function).eval(), image, target=1, rule="adaptive", **options)


def test_a_quadratic_needs_no_more_than_the_first_refinement():
    result = explain(lambda total: 3 * total**2)
    assert_close(result.values, torch.full((1, 2, 2), 0.75))
    assert result.measures["n_points"] == 17
    assert result.measures["has_converged"]
    assert result.notes == ()


def test_a_sharp_rise_is_refined_where_it_is():
    sharp = explain(lambda total: torch.sigmoid(400 * (total - 0.3)), n_steps=500, tolerance=1e-3)
    assert sharp.measures["has_converged"]
    assert sharp.relative_delta < 1e-3
    assert sharp.measures["map_change"] < 1e-3
    # 257 even points would be needed for the step width that the rise gets.
    assert sharp.measures["n_points"] < 120


def test_errors_that_cancel_in_the_delta_are_still_seen():
    # Two opposite kinks: the score does not rise, the map is far from zero at coarse steps.
    def bump(total):
        return torch.relu(total - 0.28) - 2 * torch.relu(total - 0.31) + total

    result = explain(bump, n_steps=400, tolerance=1e-3)
    reference = integrated_gradients(
        Curve(bump).eval(),
        torch.full((1, 1, 2, 2), 0.25),
        target=1,
        rule="midpoint",
        n_steps=5000,
    )
    assert_close(result.values, reference.values, rtol=2e-3, atol=0)


def test_says_when_the_budget_did_not_do():
    result = explain(lambda total: torch.sigmoid(4000 * (total - 0.3)), n_steps=40, tolerance=1e-4)
    assert not result.measures["has_converged"]
    assert result.measures["n_points"] <= 40
    assert "Not converged to 0.01% within 40 points" in result.notes[0]


def test_the_tolerance_is_kept_on_a_network():
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, 2),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(200, 4),
    ).eval()
    image = torch.randn(1, 3, 15, 15)
    result = integrated_gradients(
        model, image, target=2, rule="adaptive", tolerance=0.02, n_steps=400
    )
    reference = integrated_gradients(model, image, target=2, rule="midpoint", n_steps=3000)
    assert result.measures["has_converged"]
    assert result.relative_delta < 0.02
    error = (result.values - reference.values).norm() / reference.values.norm()
    assert error < 0.02


def test_params_repeat_the_computation():
    first = explain(lambda total: total.exp(), n_steps=60, tolerance=0.005)
    assert first.params == {
        "baseline": 0.0,
        "n_steps": 60,
        "rule": "adaptive",
        "engine": "model",
        "output": "logit",
        "tolerance": 0.005,
    }
    again = integrated_gradients(
        Curve(torch.exp).eval(), torch.full((1, 1, 2, 2), 0.25), target=1, **first.params
    )
    assert_close(again.values, first.values)


def test_progress_counts_points_against_the_budget():
    seen = []
    explain(lambda total: total**2, n_steps=64, chunk_size=5, progress=lambda *at: seen.append(at))
    assert seen == [(5, 64), (9, 64), (14, 64), (17, 64)]


def test_can_be_cancelled():
    with pytest.raises(Cancelled):
        explain(lambda total: total**2, cancelled=lambda: True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_steps": 16}, "n_steps is 16; allowed for adaptive: 17 or more"),
        ({"tolerance": 0}, "tolerance is 0; allowed: between 0 and 1"),
        ({"tolerance": 1.5}, "tolerance is 1.5"),
    ],
)
def test_refuses_what_it_cannot_keep(options, message):
    with pytest.raises(InputError, match=message):
        explain(lambda total: total, **options)
