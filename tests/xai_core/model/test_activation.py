"""Models that end in a softmax or sigmoid: noticed, and taken off where it is a layer."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.testing import assert_close

from xai_core.errors import ModelError
from xai_core.model.activation import activation_of, without_activation

BATCH = torch.randn(2, 1, 4, 4)


def body():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 3))


class Written(nn.Module):
    """Ends in what its code computes, not in a layer."""

    def __init__(self, end):
        super().__init__()
        self.body, self.end = body(), end

    def forward(self, x):
        return self.end(self.body(x))


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (nn.Sequential(body(), nn.Softmax(1)), "softmax"),
        (nn.Sequential(body(), nn.Sigmoid()), "sigmoid"),
        (Written(lambda x: F.softmax(x, 1)), "softmax"),
        (Written(lambda x: torch.sigmoid(x).squeeze(-1)[:, :2]), "sigmoid"),
        (Written(lambda x: x.exp() / x.exp().sum(1, keepdim=True)), "softmax"),
        (body(), None),
        (Written(lambda x: F.log_softmax(x, 1)), None),
        (Written(F.relu), None),
    ],
)
def test_a_head_of_probabilities_is_noticed(model, said):
    assert activation_of(model.eval().requires_grad_(False), BATCH) == said


@pytest.mark.parametrize("end", [nn.Softmax(1), nn.Sigmoid()])
def test_the_layer_is_taken_off(end):
    model = nn.Sequential(body(), nn.Sequential(end))
    bare = without_activation(model, BATCH)
    assert_close(bare(BATCH), body()(BATCH))
    assert not any(layer._forward_hooks for layer in bare.modules())


def test_a_softmax_within_the_model_stays():
    model = nn.Sequential(nn.Flatten(), nn.Softmax(1), nn.Linear(16, 3))
    with pytest.raises(ModelError, match=r"does not end in a layer nn\.Softmax or nn\.Sigmoid"):
        without_activation(model, BATCH)
    assert isinstance(model[1], nn.Softmax)
