"""Small members of torchvision's families that come large, of 5 classes, in eval mode."""

from functools import partial

import torch
from torch import nn
from torchvision import models
from torchvision.models.convnext import CNBlockConfig
from torchvision.models.swin_transformer import PatchMergingV2, SwinTransformerBlockV2

N_CLASSES = 5


def vit(n_layers: int = 2) -> models.VisionTransformer:
    """Return a vision transformer of 32 x 32 pixels, 4 x 4 patches and a class token."""
    torch.manual_seed(0)
    sizes = {"image_size": 32, "patch_size": 8, "hidden_dim": 16, "mlp_dim": 32, "num_heads": 2}
    model = models.VisionTransformer(**sizes, num_layers=n_layers, num_classes=N_CLASSES)
    nn.init.normal_(model.heads.head.weight)  # torchvision begins with zeros
    return model.eval()


def swin(*, second: bool = False) -> models.SwinTransformer:
    """Return a Swin transformer whose windows of 3 x 3 shift, and do not divide its maps."""
    torch.manual_seed(0)
    version = {"block": SwinTransformerBlockV2, "downsample_layer": PatchMergingV2}
    return models.SwinTransformer(
        patch_size=[4, 4],
        embed_dim=8,
        depths=[2, 2],
        num_heads=[2, 4],
        window_size=[3, 3],
        num_classes=N_CLASSES,
        **(version if second else {}),
    ).eval()


def maxvit() -> models.MaxVit:
    """Return a MaxViT of 64 x 64 pixels."""
    torch.manual_seed(0)
    sizes = {"input_size": (64, 64), "stem_channels": 8, "partition_size": 2, "head_dim": 8}
    blocks = {"block_channels": [8, 16], "block_layers": [1, 1], "stochastic_depth_prob": 0.2}
    return models.MaxVit(**sizes, **blocks, num_classes=N_CLASSES).eval()


def convnext() -> models.ConvNeXt:
    """Return a ConvNeXt of two stages."""
    torch.manual_seed(0)
    settings = [CNBlockConfig(8, 16, 1), CNBlockConfig(16, None, 1)]
    return models.ConvNeXt(settings, num_classes=N_CLASSES, layer_scale=1.0).eval()


FAMILIES = {
    "resnet": (partial(models.resnet18, num_classes=N_CLASSES), 48),
    "squeezenet": (partial(models.squeezenet1_0, num_classes=N_CLASSES), 64),
    "densenet": (partial(models.DenseNet, 4, (2, 2), 8, num_classes=N_CLASSES), 48),
    "mobilenet_v3": (partial(models.mobilenet_v3_small, num_classes=N_CLASSES), 48),
    "shufflenet": (partial(models.shufflenet_v2_x0_5, num_classes=N_CLASSES), 48),
    "convnext": (convnext, 32),
    "vit": (vit, 32),
    "swin": (swin, 36),
    "swin_v2": (partial(swin, second=True), 36),
    "maxvit": (maxvit, 64),
}
"""A builder for each family and the side of an image that it takes, in pixels."""


def family(name: str) -> tuple[nn.Module, torch.Tensor]:
    """Return a small member of a family and an image for it."""
    build, size = FAMILIES[name]
    torch.manual_seed(0)
    model = build().eval()
    for norm in (layer for layer in model.modules() if isinstance(layer, nn.BatchNorm2d)):
        norm.train().momentum = None
    with torch.no_grad():
        model(torch.randn(4, 3, size, size))
    return model.eval(), torch.randn(1, 3, size, size)
