"""Where Captum does not do what is promised here: why docs/adr/0025 keeps methods of our own."""

import warnings
from collections.abc import Iterator

import pytest
import torch
from captum.attr import (
    LRP,
    DeepLift,
    GradientShap,
    GuidedBackprop,
    KernelShap,
    LayerGradCam,
    NoiseTunnel,
    Saliency,
)
from torch import nn
from torch.nn import functional as F
from torch.testing import assert_close

from tests.every_method import SEGMENTS, transformer
from tests.small_nets import residual
from xai_core import deeplift, guided_backprop, lrp, saliency

IMAGE = torch.randn(1, 3, 24, 24, generator=torch.Generator().manual_seed(1))


@pytest.fixture(autouse=True)
def _hooks_are_announced() -> Iterator[None]:
    """Bear what Captum warns of at every call of a method with hooks."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


class Layers(nn.Module):
    """Two convolutions and a head, with a function between."""

    def __init__(self, between: nn.Module) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 6, 3), nn.Conv2d(6, 6, 3)
        self.between = between
        self.head = nn.Linear(6, 5)

    def forward(self, x):
        x = self.between(self.second(self.between(self.first(x))))
        return self.head(x.mean((2, 3)))


class Functional(nn.Module):
    def forward(self, x):
        return F.relu(x)


def captums(method, model, **options):
    return method(model).attribute(IMAGE.clone().requires_grad_(), target=1, **options)[0].detach()


@pytest.mark.parametrize("between", [Functional(), nn.ReLU6()], ids=["functional", "relu6"])
def test_guided_backprop_leaves_rectifiers_unguided_and_does_not_say_so(between):
    model = Layers(between).eval()
    assert_close(captums(GuidedBackprop, model), saliency(model, IMAGE, target=1).values)
    assert guided_backprop(model, IMAGE, target=1).measures["n_rectifiers"] == 2


def test_deeplifts_hooks_fail_on_a_rectifier_in_place():
    with pytest.raises(RuntimeError, match="inplace"):
        captums(DeepLift, Layers(nn.ReLU(inplace=True)).eval())


def test_deeplift_cannot_take_a_layer_twice():
    model = Layers(nn.ReLU()).eval()
    with pytest.raises(RuntimeError):
        captums(DeepLift, model)
    assert abs(deeplift(model, IMAGE, target=1).convergence_delta) < 1e-4


def test_deeplift_is_incomplete_where_pooling_windows_overlap():
    pooled = nn.Sequential(nn.Conv2d(3, 6, 3), nn.MaxPool2d(3, 2), nn.Flatten(), nn.Linear(600, 5))
    model = pooled.eval()
    rise = float((model(IMAGE) - model(0 * IMAGE)).detach()[0, 1])
    assert abs(float(captums(DeepLift, model).sum()) - rise) > 0.01 * abs(rise)
    assert abs(deeplift(model, IMAGE, target=1).convergence_delta) < 1e-4


def test_lrp_has_no_rule_for_the_usual_layers_between_convolutions_and_head():
    model = residual()
    with pytest.raises(TypeError, match=r"Flatten.* has no rule"):
        captums(LRP, model)
    assert lrp(model, IMAGE, target=1).measures["share_arrived"] is not None


@pytest.mark.parametrize(
    "explain",
    [
        lambda f: NoiseTunnel(Saliency(f)).attribute(IMAGE.clone().requires_grad_(), target=1),
        lambda f: GradientShap(f).attribute(IMAGE, baselines=0 * IMAGE, target=1),
        lambda f: KernelShap(f).attribute(IMAGE, target=1, feature_mask=SEGMENTS[None, None]),
    ],
    ids=["noise-tunnel", "gradient-shap", "kernel-shap"],
)
def test_what_is_drawn_comes_from_the_generator_of_all_threads(explain):
    before = torch.get_rng_state()
    explain(residual())
    assert not torch.equal(torch.get_rng_state(), before)


def test_grad_cam_takes_a_vits_tokens_for_channels():
    model = transformer()
    cells = LayerGradCam(model, model.encoder.layers[-1].ln_1).attribute(IMAGE, target=1)
    assert cells.shape == (1, 1, 8)  # one for each feature, none for each of the 16 patches
