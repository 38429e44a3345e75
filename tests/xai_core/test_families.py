"""Occlusion of every family of classifiers in torchvision, against Captum's.

Captum cuts a window that hangs over the right or lower edge there, as we do, so the maps agree
everywhere. It differs from us only where strides leave gaps: it divides by zero, we refuse.
"""

import random
from functools import partial

import pytest
import torch
from captum.attr import Occlusion
from torch import nn
from torch.nn import functional as F
from torch.testing import assert_close
from torchvision import models

from xai_core import occlusion

N_CLASSES = 5

# Fifty untrained layers amplify the rounding of single precision a thousandfold, Captum's own too.
ONE_BLOCK_A_STAGE = partial(models.ResNet, models.resnet.Bottleneck, [1, 1, 1, 1])

MEMBERS = {
    "alexnet": (models.alexnet, 64),
    "vgg": (models.vgg11, 32),
    "vgg_bn": (models.vgg11_bn, 32),
    "resnet": (models.resnet18, 64),
    "resnext": (partial(ONE_BLOCK_A_STAGE, groups=32, width_per_group=4), 64),
    "wide_resnet": (partial(ONE_BLOCK_A_STAGE, width_per_group=128), 64),
    "squeezenet1_0": (models.squeezenet1_0, 64),
    "squeezenet1_1": (models.squeezenet1_1, 64),
    "densenet": (models.densenet121, 64),
    "inception_v3": (partial(models.inception_v3, init_weights=False, transform_input=True), 96),
    "googlenet": (partial(models.googlenet, init_weights=False, transform_input=True), 64),
    "mobilenet_v2": (models.mobilenet_v2, 64),
    "mobilenet_v3": (models.mobilenet_v3_small, 64),
    "mnasnet": (models.mnasnet0_5, 64),
    "shufflenet_v2": (models.shufflenet_v2_x0_5, 64),
    "efficientnet_b": (models.efficientnet_b0, 64),
    "efficientnet_v2": (models.efficientnet_v2_s, 64),
    "regnet_x": (models.regnet_x_400mf, 64),
    "regnet_y": (models.regnet_y_400mf, 64),
    "convnext": (models.convnext_tiny, 64),
    "vit": (
        partial(
            models.VisionTransformer,
            **{"image_size": 32, "patch_size": 8, "num_layers": 2, "num_heads": 2},
            **{"hidden_dim": 16, "mlp_dim": 32},
        ),
        32,
    ),
    "swin": (models.swin_t, 64),
    "swin_v2": (models.swin_v2_t, 64),
    "maxvit": (
        partial(
            models.MaxVit,
            **{"input_size": (64, 64), "stem_channels": 8, "partition_size": 2, "head_dim": 8},
            **{"block_channels": [8, 16], "block_layers": [1, 1], "stochastic_depth_prob": 0.2},
        ),
        64,
    ),
}
"""A small member of each family and the side of an image that it takes, in pixels."""


def member(name):
    build, size = MEMBERS[name]
    torch.manual_seed(0)
    model = build(num_classes=N_CLASSES).eval()
    if name == "vit":
        nn.init.normal_(model.heads.head.weight)  # torchvision begins with zeros
    norms = [layer for layer in model.modules() if isinstance(layer, nn.BatchNorm2d)]
    for norm in norms:
        norm.train().momentum = None
        norm.reset_running_stats()
    with torch.no_grad():
        model(smooth(8, size, seed=1))
    return model.eval(), smooth(1, size, seed=2)


def smooth(n, size, *, seed):
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randn(n, 3, 8, 8, generator=generator)
    return F.interpolate(coarse, size=size, mode="bicubic")


def geometry(rng, size):
    """Return a window and a stride along one axis, 4 to 6 windows, most of them not dividing it."""
    window = rng.randint(size // 7, size // 3)
    n_steps = rng.randint(3, 5)
    return window, min(window, -(-(size - window) // n_steps))


def agree(model, image, rng):
    size = image.shape[-1]
    window, stride = zip(geometry(rng, size), geometry(rng, size), strict=True)
    baseline = rng.choice([0.3, torch.randn(3, 1, 1), image.flip(3)])
    target = rng.randrange(N_CLASSES)
    expected = Occlusion(lambda x: model(x.clone())).attribute(
        image,
        sliding_window_shapes=(3, *window),
        strides=(3, *stride),
        baselines=baseline.expand_as(image) if isinstance(baseline, torch.Tensor) else baseline,
        target=target,
        perturbations_per_eval=16,
    )
    result = occlusion(model, image, target=target, window=window, stride=stride, baseline=baseline)
    limit = 1e-4 * float(expected.abs().max())
    assert limit > 0
    assert_close(result.values, expected[0].float(), atol=limit, rtol=0)
    return result


@pytest.mark.parametrize("name", MEMBERS)
def test_equals_captum_by_differences(name):
    rng = random.Random(name)
    model, image = member(name)
    for _ in range(2):
        result = agree(model, image, rng)
        assert (result.params["engine"], result.notes) == ("delta", ())
