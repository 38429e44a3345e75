"""Occlusion of every family of classifiers in torchvision, against Captum's.

Captum cuts a window that hangs over the right or lower edge there, as we do, so the maps agree
everywhere. It differs from us only where strides leave gaps: it divides by zero, we refuse.

All is in double precision: fifty untrained layers amplify the rounding of single precision a
thousandfold, Captum's as ours, and what is exact shows only beyond that.
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
ROUNDED_VALUES = 2e-6  # of the map's maximum: Captum adds up in single precision

# Full depth, a quarter of the width.
NARROW_SWIN = partial(
    models.SwinTransformer,
    **{"patch_size": [4, 4], "embed_dim": 24, "stochastic_depth_prob": 0.2},
    **{"depths": [2, 2, 6, 2], "num_heads": [1, 2, 4, 8]},
)

MEMBERS = {
    "alexnet": (models.alexnet, 64),
    "vgg": (models.vgg11, 32),
    "vgg_bn": (models.vgg11_bn, 32),
    "resnet": (models.resnet18, 64),
    "resnext": (models.resnext50_32x4d, 64),
    "wide_resnet": (models.wide_resnet50_2, 48),
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
    "efficientnet_v2": (models.efficientnet_v2_s, 48),
    "regnet_x": (models.regnet_x_400mf, 64),
    "regnet_y": (models.regnet_y_400mf, 64),
    "convnext": (models.convnext_tiny, 48),
    "vit": (
        partial(
            models.VisionTransformer,
            **{"image_size": 32, "patch_size": 8, "num_layers": 2, "num_heads": 2},
            **{"hidden_dim": 16, "mlp_dim": 32},
        ),
        32,
    ),
    "swin": (partial(NARROW_SWIN, window_size=[7, 7]), 64),
    "swin_v2": (
        partial(
            NARROW_SWIN,
            window_size=[8, 8],
            block=models.swin_transformer.SwinTransformerBlockV2,
            downsample_layer=models.swin_transformer.PatchMergingV2,
        ),
        64,
    ),
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
    model = build(num_classes=N_CLASSES)
    if name.startswith("vgg"):
        model.classifier = narrow(model.classifier)
    model.double().eval()
    if name == "vit":
        nn.init.normal_(model.heads.head.weight)  # torchvision begins with zeros
    norms = [layer for layer in model.modules() if isinstance(layer, nn.BatchNorm2d)]
    for norm in norms:
        norm.train().momentum = None
        norm.reset_running_stats()
    with torch.no_grad():
        model(smooth(8, size, seed=1))
    return model.eval(), smooth(1, size, seed=2)


def narrow(classifier):
    """Return a VGG's classifier with a hundredth of its 120 million weights."""
    n_features = classifier[0].in_features
    sizes = [(n_features, 40), (40, 40), (40, N_CLASSES)]
    linear = iter([nn.Linear(*size) for size in sizes])
    return nn.Sequential(*(next(linear) if isinstance(x, nn.Linear) else x for x in classifier))


def smooth(n, size, *, seed):
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randn(n, 3, 8, 8, generator=generator, dtype=torch.float64)
    return F.interpolate(coarse, size=size, mode="bicubic")


def geometry(rng, size):
    """Return a window and a stride along one axis, 4 to 6 windows, most of them not dividing it."""
    window = rng.randint(size // 7, size // 3)
    n_steps = rng.randint(3, 5)
    return window, min(window, -(-(size - window) // n_steps))


def agree(model, image, rng):
    size = image.shape[-1]
    window, stride = zip(geometry(rng, size), geometry(rng, size), strict=True)
    baseline = rng.choice([0.3, torch.randn(3, 1, 1, dtype=torch.float64), image.flip(3)])
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
    limit = ROUNDED_VALUES * float(expected.abs().max())
    assert limit > 0
    assert_close(result.values, expected[0], atol=limit, rtol=0)
    return result


@pytest.mark.parametrize("name", MEMBERS)
def test_equals_captum_by_differences(name):
    rng = random.Random(name)
    model, image = member(name)
    result = agree(model, image, rng)
    assert (result.params["engine"], result.notes) == ("delta", ())
