import pytest
import torch
from captum.attr import InputXGradient, NoiseTunnel, Saliency
from torch import nn
from torch.testing import assert_close

from tests.small_nets import Linear, plain, residual
from xai_core import (
    guided_backprop,
    input_x_gradient,
    integrated_gradients,
    saliency,
    smooth_grad,
    var_grad,
)
from xai_core.errors import InputError

IMAGE = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(5))
RANGE = float(IMAGE.max() - IMAGE.min())


class Square(nn.Module):
    """Scores (0, the sum of squares)."""

    def forward(self, x):
        total = x.square().flatten(1).sum(1)
        return torch.stack([torch.zeros_like(total), total], dim=1)


@pytest.mark.parametrize(
    ("of", "method"),
    [
        ("saliency", saliency),
        ("input_x_gradient", input_x_gradient),
        ("guided_backprop", guided_backprop),
    ],
)
def test_one_sample_without_noise_is_the_method_itself(of, method):
    model = residual()
    result = smooth_grad(model, IMAGE, target=3, of=of, n_samples=1, noise_level=0.0)
    assert_close(result.values, method(model, IMAGE, target=3).values)
    assert result.measures == {"standard_error": None, "relative_standard_error": None}


def test_integrated_gradients_can_be_smoothed_with_options_of_its_own():
    model, options = plain(), {"n_steps": 4, "baseline": torch.full((3, 1, 1), 0.5)}
    result = smooth_grad(
        model, IMAGE, target=3, of="integrated_gradients", options=options, n_samples=1,
        noise_level=0.0,
    )  # fmt: skip
    assert_close(result.values, integrated_gradients(model, IMAGE, target=3, **options).values)
    assert result.params["options"]["n_steps"] == 4
    assert result.params["options"]["baseline"]["shape"] == [3, 1, 1]


@pytest.mark.parametrize(("ours", "theirs"), [(smooth_grad, "smoothgrad"), (var_grad, "vargrad")])
@pytest.mark.parametrize(
    ("of", "captums"), [("saliency", Saliency), ("input_x_gradient", InputXGradient)]
)
def test_equals_captums_noise_tunnel_on_the_same_noise(ours, theirs, of, captums):
    model = plain()
    result = ours(model, IMAGE, target=3, of=of, n_samples=20, noise_level=0.2, seed=11)
    own = {"abs": False} if of == "saliency" else {}
    with torch.random.fork_rng():
        torch.manual_seed(11)
        expected = NoiseTunnel(captums(model)).attribute(
            IMAGE.clone().requires_grad_(),
            nt_type=theirs,
            nt_samples=20,
            stdevs=0.2 * RANGE,
            target=3,
            **own,
        )
    assert_close(result.values, expected[0].detach(), rtol=1e-3, atol=1e-5)


def test_the_gradient_of_a_square_varies_as_the_noise_does():
    options = {"target": 1, "n_samples": 4000, "noise_level": 0.1, "chunk_size": 500}
    sigma = 0.1 * RANGE
    mean = smooth_grad(Square().eval(), IMAGE, **options)
    assert_close(mean.values, 2 * IMAGE[0], atol=5 * 2 * sigma / 4000**0.5, rtol=0)
    assert mean.measures["standard_error"] == pytest.approx(2 * sigma / 4000**0.5, rel=0.02)
    variance = var_grad(Square().eval(), IMAGE, **options)
    assert float(variance.values.mean()) == pytest.approx(4 * sigma**2, rel=0.02)
    assert variance.values.min() > 0


def test_a_linear_model_has_no_variance():
    w, x = torch.randn(2, 3, 5, 7)
    assert_close(var_grad(Linear(w).eval(), x[None], target=1).values, torch.zeros(3, 5, 7))
    assert_close(smooth_grad(Linear(w).eval(), x[None], target=1).values, w)


@pytest.mark.parametrize("chunk_size", [1, 4, 7, None])
def test_chunks_do_not_change_the_map(chunk_size):
    options = {"target": 2, "n_samples": 7, "seed": 3}
    whole = smooth_grad(plain(), IMAGE, chunk_size=7, **options)
    parts = smooth_grad(plain(), IMAGE, chunk_size=chunk_size, **options)
    assert_close(parts.values, whole.values)
    assert parts.measures == pytest.approx(whole.measures, rel=1e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"of": "occlusion"}, "of is 'occlusion'; allowed: integrated_gradients, expected_grad"),
        ({"of": "smooth_grad"}, "of is 'smooth_grad'"),
        ({"options": {"n_steps": 3}}, r"options are \['n_steps'\]; allowed for saliency: none"),
        ({"n_samples": 0}, "n_samples is 0; allowed: 1 or more"),
        ({"n_samples": True}, "n_samples is True"),
        ({"noise_level": -0.1}, "noise_level is -0.1; allowed: 0 or more"),
        ({"noise_level": float("nan")}, "noise_level is nan"),
    ],
)
def test_says_what_it_got_and_what_is_allowed(options, message):
    with pytest.raises(InputError, match=message):
        smooth_grad(plain(), IMAGE, target=0, **options)


def test_a_variance_needs_two_samples():
    with pytest.raises(InputError, match="n_samples is 1; allowed: 2 or more"):
        var_grad(plain(), IMAGE, target=0, n_samples=1)
