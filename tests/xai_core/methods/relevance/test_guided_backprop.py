import pytest
import torch
from captum.attr import GuidedBackprop
from torch import nn
from torch.testing import assert_close
from torchvision import models

from tests.small_nets import Residual, SingleUse, plain, residual
from xai_core.errors import ModelError
from xai_core.methods.relevance.guided_backprop import guided_backprop


def two_layers(activation):
    first, last = nn.Linear(3, 2, bias=False), nn.Linear(2, 1, bias=False)
    first.weight.data = torch.tensor([[1.0, 2.0, -1.0], [3.0, -1.0, 1.0]])
    last.weight.data = torch.tensor([[2.0, -5.0]])
    return nn.Sequential(nn.Flatten(), first, activation, last).eval()


@pytest.mark.parametrize("activation", [nn.ReLU(), nn.ReLU(inplace=True), nn.ReLU6()])
def test_what_lowers_the_score_is_left_out(activation):
    # Both hidden units are on (3 and 2); the second lowers the score and is stopped.
    image = torch.tensor([1.0, 1.0, 0.0]).view(1, 3, 1, 1)
    result = guided_backprop(two_layers(activation), image, target=0)
    assert_close(result.values.flatten(), torch.tensor([2.0, 4.0, -2.0]))
    assert result.measures == {"n_rectifiers": 1}


def test_a_saturated_relu6_passes_nothing():
    image = torch.tensor([7.0, 0.0, 0.0]).view(1, 3, 1, 1)
    assert guided_backprop(two_layers(nn.ReLU6()), image, target=0).values.abs().max() == 0


def captums(model, image, target):
    with pytest.warns(UserWarning, match="backward hooks"):
        return GuidedBackprop(model).attribute(image.clone().requires_grad_(), target=target)[0]


def test_equals_captum_on_a_sequential_network():
    image = torch.randn(1, 3, 24, 20)
    result = guided_backprop(plain(), image, target=2)
    assert_close(result.values, captums(plain(inplace=False), image, 2))


@pytest.mark.parametrize(
    "block", [Residual, lambda width: Residual(width, functional=True)], ids=["in place", "F.relu"]
)
def test_reused_and_functional_relus_count_each_time(block):
    image = torch.randn(1, 3, 24, 20)
    result = guided_backprop(residual(block), image, target=2)
    same = residual(SingleUse)
    same.load_state_dict(residual(block).state_dict())
    same[1] = nn.ReLU()
    assert_close(result.values, captums(same, image, 2))
    assert result.measures["n_rectifiers"] == 5


def test_a_norm_before_the_relu_without_a_convolution_is_found():
    torch.manual_seed(0)
    model = nn.Sequential(nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(48, 2)).eval()
    image = torch.randn(1, 3, 4, 4)
    assert_close(guided_backprop(model, image, target=1).values, captums(model, image, 1))


def test_a_model_without_relus_is_refused():
    with pytest.raises(ModelError, match="needs a ReLU; the model has none"):
        guided_backprop(two_layers(nn.SiLU()), torch.zeros(1, 3, 1, 1), target=0)


def test_a_model_that_branches_on_values_is_refused():
    class Branching(nn.Module):
        def forward(self, x):
            return x.flatten(1).relu() if x.sum() > 0 else x.flatten(1)

    with pytest.raises(ModelError, match="cannot be traced"):
        guided_backprop(Branching().eval(), torch.ones(1, 1, 2, 2), target=0)


def test_works_on_torchvisions_resnet():
    torch.manual_seed(0)
    model = models.resnet18().eval()
    result = guided_backprop(model, torch.randn(1, 3, 64, 64), target=7)
    assert result.measures == {"n_rectifiers": 17}
    assert result.values.abs().max() > 0


def test_other_activations_are_counted_in_a_note():
    model = nn.Sequential(two_layers(nn.ReLU()), nn.SiLU()).eval()
    result = guided_backprop(model, torch.ones(1, 3, 1, 1), target=0)
    assert result.notes == ("Activations that are no ReLU, and pass on their own slope: 1.",)
    assert guided_backprop(model[0], torch.ones(1, 3, 1, 1), target=0).notes == ()
