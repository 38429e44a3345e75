"""Peers beside Captum, where they are installed (requirements-bench.txt)."""

import warnings
from importlib.util import find_spec

import numpy as np
import torch
from torch import Tensor, nn


def is_installed(module: str) -> bool:
    """Return whether a peer can be imported."""
    return find_spec(module) is not None


class OneClass(nn.Module):
    """Of a model's scores only the target's, (N, 1): some peers keep what they are given."""

    def __init__(self, model: nn.Module, target: int) -> None:
        super().__init__()
        self.model, self.target = model, target

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)[:, self.target, None]


def monai_occlusion(
    model: nn.Module, image: Tensor, *, target: int, window_px: tuple[int, int], batch: int
) -> Tensor:
    """Return F with each window of a grid covered, (1, H, W), by MONAI.

    Args:
        model: As Captum takes it.
        image: (1, C, H, W).
        target: Class index.
        window_px: Height and width of a window.
        batch: Windows passed at once.
    """
    from monai.visualize import OcclusionSensitivity

    explain = OcclusionSensitivity(
        OneClass(model, target).eval(),
        mask_size=window_px,
        n_batch=batch,
        mode=0.0,
        overlap=0.0,
        verbose=False,
        activate=False,
    )
    with torch.no_grad(), warnings.catch_warnings(action="ignore"):
        scores, _ = explain(image)
    return torch.as_tensor(np.asarray(scores.cpu()))[0]


def grad_cam(model: nn.Module, layer: nn.Module, image: Tensor, *, target: int) -> Tensor:
    """Return pytorch-grad-cam's map, (H, W): it is scaled to [0, 1], so only its time compares."""
    from pytorch_grad_cam import GradCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    with GradCAM(model=model, target_layers=[layer]) as explain:
        return torch.as_tensor(explain(image, targets=[ClassifierOutputTarget(target)])[0])


def zennit_lrp(model: nn.Module, image: Tensor, *, target: int) -> Tensor:
    """Return zennit's relevance, (1, C, H, W), by the rules that are ours by default."""
    from zennit.attribution import Gradient
    from zennit.composites import EpsilonPlusFlat
    from zennit.torchvision import ResNetCanonizer

    def of_target(scores: Tensor) -> Tensor:
        one_hot = torch.zeros_like(scores)
        one_hot[:, target] = 1
        return scores * one_hot

    composite = EpsilonPlusFlat(canonizers=[ResNetCanonizer()])
    with (
        warnings.catch_warnings(action="ignore"),
        Gradient(model=model, composite=composite) as explain,
    ):
        return explain(image, of_target)[1].detach()
