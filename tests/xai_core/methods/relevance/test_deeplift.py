import warnings

import pytest
import torch
from captum.attr import DeepLift
from torch import nn
from torch.nn import functional as F
from torch.testing import assert_close

from tests.small_families import FAMILIES, family
from tests.small_nets import Linear, Residual, SingleUse, grouped, plain, residual, state_of
from xai_core.errors import InputError, ModelError
from xai_core.methods.relevance import multipliers
from xai_core.methods.relevance.deeplift import deeplift

OUTPUTS = ["logit", "softmax", "sigmoid", "log_odds"]


class Scores(nn.Module):
    """Scores (0, f(x)) of the pixels of one row."""

    def __init__(self, f):
        super().__init__()
        self.f = f

    def forward(self, x):
        score = self.f(x.flatten(1))
        return torch.stack([torch.zeros_like(score), score], dim=1)


def attributed(f, pixels, baseline=0.0):
    image = torch.tensor([[[pixels]]])
    return deeplift(Scores(f).eval(), image, target=1, baseline=baseline).values.flatten().tolist()


def row(x):
    return x.view(-1, 1, 1, x.shape[1])


def test_a_linear_model_gives_weight_times_difference():
    w, x, b = torch.randn(3, 3, 5, 7)
    result = deeplift(Linear(w).eval(), x[None], target=1, baseline=b)
    assert_close(result.values, w * (x - b))
    assert result.convergence_delta == pytest.approx(0, abs=1e-4)
    assert result.params["baseline"]["shape"] == [3, 5, 7]


def test_rescale_shares_what_passes_a_relu():
    # Unit 2 x0 + x1 - 3 goes from -3 to 4, and its ReLU from 0 to 4: of each step, 4/7 arrive.
    values = attributed(lambda x: F.relu(2 * x[:, 0] + x[:, 1] - 3), [2.0, 3.0])
    assert values == pytest.approx([4 * 4 / 7, 3 * 4 / 7])


def test_a_product_is_shared_by_shapleys_value():
    # 2 * 5 from 0 * 0 by halves; from 1 * 1, x0 brings 1 * (5 + 1) / 2 and x1 brings 4 * 3 / 2.
    assert attributed(lambda x: x[:, 0] * x[:, 1], [2.0, 5.0]) == pytest.approx([5, 5])
    assert attributed(lambda x: x[:, 0] * x[:, 1], [2.0, 5.0], 1.0) == pytest.approx([3, 6])


def test_a_result_that_is_multiplied_in_place_is_kept_for_the_rule():
    def silu(x):
        y = x + 0
        y *= y.sigmoid()
        return y.sum(1)

    assert sum(attributed(silu, [2.0, -1.0], 0.5)) == pytest.approx(
        float(F.silu(torch.tensor([2.0, -1.0])).sum() - 2 * F.silu(torch.tensor(0.5)))
    )


def test_a_quotient_adds_up():
    values = attributed(lambda x: x[:, 0] / x[:, 1], [6.0, 3.0], torch.tensor([1.0, 2.0]))
    # 1/x1 falls from 1/2 to 1/3; x0 rises by 5.
    assert values == pytest.approx([5 * (1 / 2 + 1 / 3) / 2, (1 / 3 - 1 / 2) * 3.5])


def test_max_pooling_counts_the_rise_to_the_larger_and_from_there():
    def pooled(x):
        return F.max_pool2d(row(x), (1, 2)).flatten(1).sum(1)

    # Up from 1 (second) to 5 (first); down from 4 (first) to 2 (second), all of it to the first.
    assert attributed(pooled, [5.0, 0.0], torch.tensor([0.0, 1.0])) == pytest.approx([4, 0])
    assert attributed(pooled, [1.0, 2.0], torch.tensor([4.0, 0.0])) == pytest.approx([-2, 0])


def test_of_a_uniform_baselines_maxima_the_one_counts_where_the_image_is_largest():
    def pooled(x):
        return F.max_pool2d(row(x), (1, 3)).flatten(1).sum(1)

    for baseline in (torch.full((3,), 4.0), torch.tensor([4.0, 4.0, 4.0]) + 1e-6 * torch.randn(3)):
        values = attributed(pooled, [1.0, 3.0, 2.0], baseline)
        assert values == pytest.approx([0, -1, 0], abs=1e-5)


@pytest.mark.parametrize(
    ("function", "multiplied"),
    [
        (lambda x: x.softmax(-1), lambda x, x0: multipliers.softmax(x, x0, -1)),
        (lambda x: x.logsumexp(-1), lambda x, x0: multipliers.log_sum_exp(x, x0, -1)),
        (lambda x: F.normalize(x, dim=-1), lambda x, x0: multipliers.direction(x, x0, -1)),
        (
            lambda x: F.layer_norm(x, (5,), eps=1e-5),
            lambda x, x0: multipliers.normalised(x, x0, 1, 1e-5),
        ),
    ],
    ids=["softmax", "log_sum_exp", "direction", "layer_norm"],
)
def test_slopes_times_steps_are_the_change(function, multiplied):
    x, x0 = 3 * torch.randn(2, 4, 5, dtype=torch.double)
    x0[0] = 0  # a direction that is none
    x0[1] = x[1]
    x.requires_grad_()
    y = multiplied(x, x0)
    assert_close(y, function(x))
    change = (function(x) - function(x0)).detach()
    slopes = torch.autograd.functional.jacobian(lambda x: multiplied(x, x0), x)
    assert_close((slopes * (x - x0).detach()).sum((-2, -1)), change)


def test_where_image_and_baseline_are_equal_slopes_are_gradients():
    model, image = plain(), torch.randn(1, 3, 24, 20)
    result = deeplift(model, image, target=1, baseline=image)
    assert result.values.abs().max() == 0
    assert result.relative_delta is None


def pooled():
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 6, 3), nn.MaxPool2d(2), nn.Conv2d(6, 8, 3), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5)).eval()


def separate():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3), SingleUse(6), SingleUse(6), nn.Flatten(), nn.LazyLinear(5)
    ).eval()


# Where Captum is right: it cannot reuse a layer, and its own convergence delta tells that it errs
# where a max pooling lies beside a ReLU or has windows that overlap.
@pytest.mark.parametrize("network", [pooled, separate])
def test_equals_captum(network):
    model, (image, baseline) = network(), torch.randn(2, 1, 3, 14, 12)
    model(image)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of its hooks
        expected = DeepLift(model).attribute(image, baseline, target=3)[0].detach()
    assert_close(deeplift(model, image, target=3, baseline=baseline).values, expected)


@pytest.mark.parametrize("block", [Residual, SingleUse, lambda w: Residual(w, functional=True)])
def test_reused_functional_and_in_place_relus_are_all_the_same(block):
    image, before = torch.randn(1, 3, 24, 20), state_of(model := residual(block))
    result = deeplift(model, image, target=2, baseline=0.2)
    expected = deeplift(residual(SingleUse), image, target=2, baseline=0.2)
    assert_close(result.values, expected.values)
    assert state_of(model) == before


@pytest.mark.parametrize("name", FAMILIES)
def test_torchvisions_families_are_complete(name):
    model, image = family(name)
    result = deeplift(model.double(), image.double(), target=2, baseline=0.1)
    assert result.values.abs().max() > 0
    # Values are given in single precision.
    assert result.relative_delta < 1e-5


def test_group_norms_and_the_largest_of_all_places_are_complete():
    image, baseline = torch.randn(2, 1, 3, 24, 20, dtype=torch.double)
    result = deeplift(grouped().double(), image, target=2, baseline=baseline)
    assert result.relative_delta < 1e-5


@pytest.mark.parametrize("output", OUTPUTS)
def test_every_output_is_complete_on_a_head_of_many_labels(output):
    model = nn.Sequential(plain(), nn.Linear(5, 4)).eval()
    result = deeplift(model, torch.randn(1, 3, 24, 20), target=1, output=output)
    assert result.params["output"] == output
    assert result.convergence_delta == pytest.approx(0, abs=1e-5)


def test_a_model_that_ends_in_a_sigmoid_is_complete():
    model = nn.Sequential(plain(), nn.Sigmoid()).eval()
    result = deeplift(model, torch.randn(1, 3, 24, 20), target=1)
    assert 0 < result.score < 1
    assert result.convergence_delta == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("f", "message"),
    [
        (lambda x: x.cumsum(1).sum(1), r"no rule for cumsum \(cumsum\)"),
        (lambda x: torch.topk(x, 1).values.sum(1), r"no rule for topk"),
        (lambda x: torch.einsum("ni,ni,ni->n", x, x, x), "other than one or two tensors"),
        (lambda x: torch.mul(0.5, other=x).sum(1), "with inputs by name"),
    ],
)
def test_calls_without_a_rule_are_refused(f, message):
    with pytest.raises(ModelError, match=message):
        attributed(f, [1.0, 2.0])


def test_attention_with_a_mask_is_refused():
    class Masked(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
            self.register_buffer("mask", torch.zeros(6, 6))

        def forward(self, x):
            x = x.reshape(x.shape[0], 6, 4)
            return self.attention(x, x, x, attn_mask=self.mask)[0].mean(1)

    with pytest.raises(ModelError, match="not plain self-attention"):
        deeplift(Masked().eval(), torch.randn(1, 1, 4, 6), target=0)


def test_a_baseline_of_another_shape_is_refused():
    with pytest.raises(InputError, match="baseline has shape"):
        deeplift(plain(), torch.zeros(1, 3, 24, 24), target=0, baseline=torch.zeros(2, 3, 24, 24))
