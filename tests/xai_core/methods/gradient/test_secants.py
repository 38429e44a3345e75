import pytest
import torch
from captum.attr import IntegratedGradients
from torch import nn
from torch.nn import functional as F
from torch.testing import assert_close

from tests.small_nets import Linear, plain, residual
from xai_core import integrated_gradients
from xai_core.errors import ModelError


class Bends(nn.Module):
    """Scores (0, F) of F = 2 relu(x0 - 1) + relu(relu(x1) + x0 - 3)."""

    def forward(self, x):
        first, second = x[:, 0, 0, 0], x[:, 0, 0, 1]
        score = 2 * F.relu(first - 1) + F.relu(F.relu(second) + first - 3)
        return torch.stack([torch.zeros_like(score), score], dim=1)


class Largest(nn.Module):
    """Scores (0, the largest of four values)."""

    def forward(self, x):
        largest = F.max_pool2d(x, 2).flatten(1).sum(1)
        return torch.stack([torch.zeros_like(largest), largest], dim=1)


def explain(model, image, **options):
    return integrated_gradients(model.eval(), image, rule="chord", **options)


def l2_error(values, reference):
    return float((values - reference).norm() / reference.norm())


def test_a_linear_model_needs_one_stretch():
    w, x, b = torch.randn(3, 3, 5, 7)
    result = explain(Linear(w), x[None], target=1, baseline=b, n_steps=1)
    assert_close(result.values, w * (x - b))


def test_a_bend_counts_for_the_share_of_the_path_behind_it():
    # On the way from 0 to 2 the first unit is on from 1 on: half of the way, slope 2.
    image = torch.tensor([2.0, 0.0]).view(1, 1, 1, 2)
    result = explain(Bends(), image, target=1, n_steps=1)
    assert_close(result.values, torch.tensor([[[2.0, 0.0]]]))
    # Both units of the second term bend at known points: 4 a - 3 > 0 from a = 3/4 on.
    image = torch.tensor([[[[2.0, 2.0]]]])
    result = explain(Bends(), image, target=1, n_steps=1)
    assert_close(result.values, torch.tensor([[[2.0 + 0.5, 0.5]]]))


def test_the_largest_of_two_values_counts_for_the_share_on_which_it_leads():
    # From (1, 0) to (2, 4) the second takes the lead at a third of the way.
    start = torch.tensor([[[[1.0, 0.0], [-9.0, -9.0]]]])
    image = torch.tensor([[[[2.0, 4.0], [-9.0, -9.0]]]])
    result = explain(Largest(), image, target=1, baseline=start, n_steps=1)
    assert_close(result.values, torch.tensor([[[1 / 3, 4 * 2 / 3], [0.0, 0.0]]]))


@pytest.mark.parametrize("network", [plain, residual])
@pytest.mark.parametrize("n_steps", [1, 2, 7])
@pytest.mark.parametrize("output", ["logit", "softmax", "sigmoid", "log_odds"])
def test_values_add_up_for_any_number_of_stretches(network, n_steps, output):
    model, image = network().double(), torch.randn(1, 3, 24, 20, dtype=torch.float64)
    result = explain(model, image, target=3, n_steps=n_steps, output=output, baseline=0.3)
    assert result.relative_delta < 1e-5
    assert result.measures == {}


@pytest.mark.parametrize("network", [plain, residual])
def test_they_tend_to_the_integral(network):
    model, image = network(), torch.randn(1, 3, 24, 20)
    many = integrated_gradients(model, image, target=3, n_steps=3000, rule="midpoint").values
    errors = [
        l2_error(explain(model, image, target=3, n_steps=n).values, many) for n in (4, 16, 64)
    ]
    assert errors[0] > 2 * errors[1] > 4 * errors[2]
    assert errors[2] < 0.003


@pytest.mark.parametrize("network", [plain, residual])
def test_a_third_of_the_points_is_nearer_than_captum(network):
    model, image = network(), torch.randn(1, 3, 24, 20)
    many = integrated_gradients(model, image, target=3, n_steps=3000, rule="midpoint").values
    captum = IntegratedGradients(model).attribute(image, target=3, n_steps=48)[0].float()
    ours = explain(model, image, target=3, n_steps=16).values
    assert l2_error(ours, many) < l2_error(captum, many)


@pytest.mark.parametrize("chunk_size", [1, 2, 5, 13])
def test_chunks_do_not_change_the_map(chunk_size):
    model, image = residual().double(), torch.randn(1, 3, 24, 20, dtype=torch.float64)
    whole = explain(model, image, target=3, n_steps=13, chunk_size=13)
    parts = explain(model, image, target=3, n_steps=13, chunk_size=chunk_size)
    assert_close(parts.values, whole.values)


def test_progress_counts_stretches_and_params_name_the_copy():
    seen = []
    result = explain(
        plain(),
        torch.randn(1, 3, 24, 20),
        target=3,
        n_steps=5,
        chunk_size=2,
        progress=lambda *at: seen.append(at),
    )
    assert seen == [(2, 5), (4, 5), (5, 5)]
    assert result.params["rule"] == "chord"
    assert result.params["engine"] == "prepared"


def test_a_model_that_bends_otherwise_is_refused():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.GELU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with pytest.raises(ModelError, match="not with GELU"):
        explain(model, torch.randn(1, 3, 8, 8), target=1)
