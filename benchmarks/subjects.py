"""The models and images that are explained."""

from pathlib import Path

import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models.resnet import BasicBlock, Bottleneck

from models.phantoms.phantom import Finding, draw_phantom
from xai_core.model.card import read_card
from xai_core.model.loading import load_model
from xai_core.model.preprocessing import normalise, to_input

_N_CALIBRATION_IMAGES = 4
_MODELS = Path(__file__).parents[1] / "models"


def trained(name: str, device: torch.device | str = "cpu") -> tuple[nn.Module, Tensor]:
    """Load a demo model and draw a phantom as it takes it, (1, C, H, W)."""
    loaded = load_model(read_card(_MODELS / f"{name}.toml"))
    phantom = draw_phantom(0, finding=Finding.EFFUSION)
    unit, _ = to_input(phantom.shown, loaded.card.preprocessing)
    return loaded.module.to(device), normalise(unit, loaded.card.preprocessing).to(device)


def calibrated(
    name: str, size_px: int, device: torch.device | str = "cpu", *, branch_scale: float = 1.0
) -> nn.Module:
    """Build a torchvision model with random weights and sane batch norm statistics.

    Args:
        name: Of torchvision's builder.
        size_px: Side of the images that calibrate its batch norms.
        device: Where to put it.
        branch_scale: By what a ResNet's blocks scale what they add.
    """
    torch.manual_seed(0)
    sized = {"image_size": size_px} if name.startswith("vit") else {}
    model = getattr(torchvision.models, name)(weights=None, **sized)
    if name.startswith("vit"):
        nn.init.normal_(model.heads.head.weight, std=0.02)  # torchvision begins with zeros
    if name.startswith("convnext"):
        # Torchvision begins without biases and with blocks that add a millionth: layer norms then
        # see nothing under a window but rounding, and amplify it.
        with torch.no_grad():
            for each in model.parameters():
                if each.dim() == 1 or each.shape[1:] == (1, 1):
                    each.add_(0.2 * torch.randn_like(each))
    for block in model.modules():
        if isinstance(block, BasicBlock | Bottleneck):
            last = block.bn2 if isinstance(block, BasicBlock) else block.bn3
            nn.init.constant_(last.weight, branch_scale)
    norms = [layer for layer in model.modules() if isinstance(layer, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None
        norm.reset_running_stats()
    if norms:
        images = [smooth_image(size_px, seed=seed) for seed in range(_N_CALIBRATION_IMAGES)]
        with torch.no_grad():
            model.train()(torch.cat(images))
    return model.eval().to(device)


def smooth_image(size_px: int, *, seed: int = 9, device: torch.device | str = "cpu") -> Tensor:
    """Draw a coarse pattern with some noise, (1, 3, size, size)."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randn(1, 1, size_px // 16, size_px // 16, generator=generator)
    noise = torch.randn(1, 1, size_px, size_px, generator=generator)
    pattern = F.interpolate(coarse, size=size_px, mode="bicubic") + 0.2 * noise
    return pattern.expand(1, 3, -1, -1).contiguous().to(device)


def top_class(model: nn.Module, image: Tensor) -> int:
    """Return the class that the model gives the highest score."""
    with torch.no_grad():
        return int(model(image).argmax())
