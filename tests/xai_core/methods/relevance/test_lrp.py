import warnings

import pytest
import torch
from torch import nn
from torch.testing import assert_close
from zennit.attribution import Gradient
from zennit.canonizers import SequentialMergeBatchNorm
from zennit.composites import EpsilonGammaBox, EpsilonPlusFlat
from zennit.torchvision import ResNetCanonizer

from tests.small_families import FAMILIES, family
from tests.small_nets import grouped, plain, residual, side_by_side, state_of
from xai_core.errors import InputError, ModelError
from xai_core.methods.relevance.lrp import lrp


class Scores(nn.Module):
    """Scores (0, f(y)) of what a linear layer gives for a row of pixels."""

    def __init__(self, f, weight):
        super().__init__()
        self.f, self.first = f, nn.Linear(len(weight), len(weight[0]), bias=False)
        self.first.weight.data = torch.tensor(weight)

    def forward(self, x):
        score = self.f(self.first(x.flatten(1)))
        return torch.stack([torch.zeros_like(score), score], dim=1)


def row(*pixels):
    return torch.tensor([[[pixels]]])


def handed_back(f, *pixels, weight=((1.0, 0.0), (0.0, 1.0)), **options):
    result = lrp(Scores(f, weight).eval(), row(*pixels), target=1, **options)
    return result.values.flatten().tolist()


def test_a_network_done_by_hand():
    # The hidden units are 2 and 1, their terms of the score 6 and -1: to each pixel half of each.
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(2, 2, bias=False), nn.ReLU(), nn.Linear(2, 1, bias=False)
    ).eval()
    model[1].weight.data = torch.tensor([[1.0, 1.0], [2.0, -1.0]])
    model[3].weight.data = torch.tensor([[3.0, -1.0]])
    result = lrp(model, row(1.0, 1.0), target=0)
    assert result.values.flatten().tolist() == pytest.approx([2.5, 2.5], rel=1e-4)
    # In a box of 0 to 2 they have x w - 0 w+ - 2 w- of z: 1/2, 1/2, and 2/3, 1/3.
    result = lrp(model, row(1.0, 1.0), target=0, box=(0.0, 2.0))
    expected = [6 / 2 - 2 / 3, 6 / 2 - 1 / 3]
    assert result.values.flatten().tolist() == pytest.approx(expected, rel=1e-4)


def test_a_convolution_shares_by_what_speaks_for_its_sum():
    model = nn.Sequential(
        nn.Conv2d(1, 3, 1, bias=False), nn.Conv2d(3, 1, 1, bias=False), nn.Flatten()
    ).eval()
    model[0].weight.data = torch.tensor([1.0, 2.0, -1.0]).view(3, 1, 1, 1)
    model[1].weight.data = torch.tensor([4.0, -1.0, -2.0]).view(1, 3, 1, 1)
    # 4 and 2 speak for it, -2 against it; all three hold the one pixel.
    result = lrp(model, row(1.0), target=0)
    assert result.values.item() == pytest.approx(4.0, rel=1e-4)
    assert result.measures == {"relevance": 4.0, "share_arrived": pytest.approx(1, rel=1e-4)}


def test_sums_share_by_their_terms_and_constants_keep_theirs():
    expected = [12.0 * 4 / 12, 12.0 * 6 / 12]
    found = handed_back(lambda y: y[:, 0] + y[:, 1] + 2, 4.0, 6.0, box=(0.0, 9.0))
    assert found == pytest.approx(expected, rel=1e-4)


def test_a_gate_gets_nothing():
    sigmoid = torch.tensor(6.0).sigmoid().item()
    for f in (lambda y: y[:, 0] * y[:, 1].sigmoid(), lambda y: y[:, 1].sigmoid() * y[:, 0]):
        found = handed_back(f, 4.0, 6.0, box=(0.0, 9.0))
        assert found == pytest.approx([4 * sigmoid, 0], rel=1e-4)


def test_attention_weights_count_as_fixed():
    def f(y):
        return (y.softmax(1) * 1.0).matmul(torch.ones(2, 1))[:, 0] + y.mean(1)

    assert handed_back(f, 4.0, 6.0, box=(0.0, 9.0)) == pytest.approx([2, 3], rel=1e-4)


def zennits(model, image, composite):
    with Gradient(model=model, composite=composite) as attributor:
        return attributor(image, lambda scores: scores * torch.eye(5)[[2]])[1][0]


COMPOSITES = {
    "flat": (EpsilonPlusFlat, {}, {}),
    "box": (
        EpsilonGammaBox,
        {"low": -5.0, "high": 5.0},
        {"convolutions": "favoured", "box": (-5.0, 5.0)},
    ),
}


@pytest.mark.parametrize("composite", COMPOSITES)
@pytest.mark.parametrize("name", ["plain", "resnet"])
def test_equals_zennit(name, composite):
    kind, theirs, ours = COMPOSITES[composite]
    if name == "plain":
        torch.manual_seed(0)
        model, image, canonizer = plain(), torch.randn(1, 3, 24, 20), SequentialMergeBatchNorm()
    else:
        (model, image), canonizer = family("resnet"), ResNetCanonizer()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of its hooks
        expected = zennits(model, image, kind(**theirs, canonizers=[canonizer]))
    result = lrp(model, image, target=2, **ours)
    assert_close(result.values, expected, atol=1e-3 * float(expected.abs().max()), rtol=0)


FAVOURED = ["squeezenet", "mobilenet_v3", "shufflenet"]


# In a ShuffleNet a depthwise kernel may have no positive weight: z+ then hands nothing on.
@pytest.mark.parametrize(
    ("name", "convolutions"),
    [
        *((name, "positive") for name in FAMILIES if name != "shufflenet"),
        *((name, "favoured") for name in FAVOURED),
    ],
)
def test_without_constants_all_relevance_arrives(name, convolutions):
    model, image = family(name)
    for key, tensor in (*model.named_parameters(), *model.named_buffers()):
        if key.endswith(("bias", "running_mean", "class_token", "pos_embedding")):
            tensor.data.zero_()
    result = lrp(model.double(), image.double(), target=2, convolutions=convolutions, epsilon=1e-12)
    assert result.values.abs().max() > 0
    assert result.measures["share_arrived"] == pytest.approx(1, abs=0.02)


def test_group_norms_and_the_largest_of_all_places_hand_on_all_but_what_biases_keep():
    model = grouped().double()
    for layer in (model[1], model[6]):
        layer.bias.data.zero_()
    result = lrp(model, torch.randn(1, 3, 24, 20, dtype=torch.double), target=2, epsilon=1e-12)
    assert result.measures["share_arrived"] == pytest.approx(1, abs=1e-3)


def test_a_probability_hands_back_its_logits_times_their_slopes():
    model, image = plain(), torch.randn(1, 3, 24, 20)
    logit, sigmoid, odds = (
        lrp(model, image, target=1, output=output) for output in ("logit", "sigmoid", "log_odds")
    )
    slope = sigmoid.score * (1 - sigmoid.score)
    assert_close(sigmoid.values, slope * logit.values)
    assert logit.measures["relevance"] == pytest.approx(logit.score)
    with torch.no_grad():
        scores = model(image)[0]
    others = torch.cat([scores[:1], scores[2:]])
    begun = float(scores[1] - (others.softmax(0) * others).sum())
    assert odds.measures["relevance"] == pytest.approx(begun, rel=1e-4)


def test_nothing_is_left_on_the_model_and_threads_do_not_mix():
    model, images = residual(), torch.randn(2, 1, 3, 24, 20)
    before = state_of(model)
    expected = [lrp(model, image, target=1).values for image in images]
    works = [lambda image=image: lrp(model, image, target=1).values for image in images]
    for results, values in zip(side_by_side(*works), expected, strict=True):
        assert all(torch.equal(result, values) for result in results)
    assert state_of(model) == before


@pytest.mark.parametrize(
    ("f", "message"),
    [
        (lambda y: y.cumsum(1).sum(1), r"LRP has no rule for cumsum \(cumsum\)"),
        (lambda y: y[:, 0] * y[:, 1], "no rule for mul"),
        (lambda y: 1 / y[:, 0], "no rule for truediv"),
        (lambda y: torch.topk(y, 1).values[:, 0], "no rule for topk"),
        (lambda y: torch.mul(2.0, other=y).sum(1), "no rule for mul"),
        (lambda y: y.softmax(1)[:, 0], "no relevance can reach the image"),
    ],
)
def test_calls_without_a_rule_are_refused(f, message):
    with pytest.raises(ModelError, match=message):
        handed_back(f, 1.0, 2.0)


def test_options_out_of_range_are_refused():
    model, image = plain(), torch.randn(1, 3, 24, 20)
    with pytest.raises(InputError, match="the image lies outside the box"):
        lrp(model, image, target=0, box=(0.0, 1.0))
    with pytest.raises(InputError, match="epsilon 0; allowed: 0 or more, and above 0"):
        lrp(model, image, target=0, epsilon=0)
    with pytest.raises(InputError, match="convolutions is 'alpha'; allowed: positive, favoured"):
        lrp(model, image, target=0, convolutions="alpha")
    padded = nn.Sequential(nn.ZeroPad2d(1), plain()).eval()
    with pytest.raises(ModelError, match="does not take the image itself"):
        lrp(padded, image, target=0, box=(-9.0, 9.0))
