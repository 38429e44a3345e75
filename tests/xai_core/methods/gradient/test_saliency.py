import pytest
import torch
from torch.testing import assert_close

from tests.small_nets import Linear, plain, residual
from xai_core.errors import InputError, ModelError, TargetError
from xai_core.methods.gradient.saliency import input_x_gradient, saliency


def test_saliency_of_a_linear_model_is_its_weight():
    w, x = torch.randn(2, 3, 5, 7)
    result = saliency(Linear(w).eval(), x[None], target=1)
    assert_close(result.values, w)
    assert result.score == pytest.approx(float((w * x).sum()), rel=1e-4)
    assert result.params == {"absolute": False, "output": "logit"}


def test_absolute_saliency_has_no_sign():
    w, x = torch.randn(2, 3, 5, 7)
    assert_close(saliency(Linear(w).eval(), x[None], target=1, absolute=True).values, w.abs())


def test_input_x_gradient_of_a_linear_model_is_weight_times_input():
    w, x = torch.randn(2, 3, 5, 7)
    assert_close(input_x_gradient(Linear(w).eval(), x[None], target=1).values, w * x)


def slope_of(model, image, target):
    point = image.clone().requires_grad_()
    return torch.autograd.grad(model(point)[0, target], point)[0][0]


@pytest.mark.parametrize("network", [plain, residual])
def test_both_follow_from_autograds_slope(network):
    model, image = network(), torch.randn(1, 3, 24, 20)
    slope = slope_of(network(), image, 3)
    assert_close(saliency(model, image, target=3).values, slope)
    assert_close(saliency(model, image, target=3, absolute=True).values, slope.abs())
    assert_close(input_x_gradient(model, image, target=3).values, slope * image[0])


def test_the_slope_of_a_probability_is_p_times_one_minus_p_times_that_of_the_log_odds():
    model, image = plain(), torch.randn(1, 3, 24, 20)
    slopes = {
        output: saliency(model, image, target=3, output=output)
        for output in ("softmax", "log_odds")
    }
    p = slopes["softmax"].score
    assert_close(slopes["softmax"].values, p * (1 - p) * slopes["log_odds"].values)


def test_a_chunk_of_no_image_is_refused():
    with pytest.raises(InputError, match="chunk_size is 0; allowed: 1 or more"):
        saliency(plain(), torch.zeros(1, 3, 24, 24), target=0, chunk_size=0)


def test_a_model_in_train_mode_is_refused():
    with pytest.raises(ModelError, match="train mode"):
        saliency(plain().train(), torch.zeros(1, 3, 24, 24), target=0)


def test_what_the_pass_shows_to_be_wrong_is_refused():
    with pytest.raises(TargetError, match="target is 5; allowed: an integer from 0 to 4"):
        saliency(plain(), torch.zeros(1, 3, 24, 24), target=5)
    broken = plain()
    broken[-1].bias.data[0] = float("nan")
    with pytest.raises(ModelError, match="scores for this image hold NaN"):
        input_x_gradient(broken, torch.zeros(1, 3, 24, 24), target=1)
