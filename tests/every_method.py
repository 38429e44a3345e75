"""Every method of the glossary with small options, and a small model that it can explain."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models import VisionTransformer

import xai_core
from tests.small_nets import residual
from xai_core.attribution import Attribution

SIDE_PX = 24
SEGMENTS = torch.arange(16).view(4, 4).repeat_interleave(6, 0).repeat_interleave(6, 1)


def picture(seed: int) -> Tensor:
    """Return a random image, (1, 3, 24, 24), in the models' input space."""
    return torch.randn(1, 3, SIDE_PX, SIDE_PX, generator=torch.Generator().manual_seed(seed))


def transformer() -> nn.Module:
    """Return torchvision's ViT with two blocks, of 5 classes, in eval mode."""
    torch.manual_seed(0)
    made = VisionTransformer(
        image_size=SIDE_PX,
        patch_size=6,
        num_layers=2,
        num_heads=2,
        hidden_dim=8,
        mlp_dim=16,
        num_classes=5,
    )
    nn.init.normal_(made.heads.head.weight)  # torchvision's begins at zero and answers 0
    return made.eval()


@dataclass(frozen=True)
class Way:
    """One way to call a method.

    Attributes:
        key: The method in `xai_core.glossary.entries.METHODS`.
        options: What it is given besides model, image and target.
        model: Makes a model that it can explain.
        is_whole: It always comes to the end of its progress.
        is_seeded: It draws random numbers.
        asks_for_score: Its map depends on which number is explained.
    """

    key: str
    options: dict[str, Any] = field(default_factory=dict)
    model: Callable[[], nn.Module] = residual
    is_whole: bool = True
    is_seeded: bool = False
    asks_for_score: bool = True

    def __str__(self) -> str:
        words = [self.key, *(str(v) for v in self.options.values() if isinstance(v, str))]
        return "-".join(words)

    def __call__(self, model: nn.Module, image: Tensor, **options: Any) -> Attribution:
        """Explain class 1, unless told otherwise."""
        method = getattr(xai_core, self.key)
        return method(model, image, **{"target": 1, **self.options, **options})


WINDOWS = {"window": 6, "stride": 3}

WAYS = (
    Way("integrated_gradients", {"n_steps": 12, "chunk_size": 5}),
    Way("integrated_gradients", {"n_steps": 12, "chunk_size": 5, "engine": "prepared"}),
    Way(
        "integrated_gradients", {"n_steps": 40, "chunk_size": 5, "rule": "adaptive"}, is_whole=False
    ),
    Way("integrated_gradients", {"n_steps": 12, "chunk_size": 5, "rule": "chord"}),
    Way("expected_gradients", {"baselines": [None, 0.5], "n_steps": 6, "chunk_size": 5}),
    Way("baseline_sensitivity", {"baselines": [None, 0.5], "n_steps": 6, "chunk_size": 5}),
    Way("smooth_grad", {"n_samples": 12, "chunk_size": 5}, is_seeded=True),
    Way(
        "smooth_grad",
        {"of": "integrated_gradients", "options": {"n_steps": 3}, "n_samples": 4, "chunk_size": 3},
        is_seeded=True,
    ),
    Way("var_grad", {"n_samples": 12, "chunk_size": 5}, is_seeded=True),
    Way("gradient_shap", {"n_samples": 12, "chunk_size": 5}, is_seeded=True),
    Way("occlusion", {**WINDOWS, "chunk_size": 16, "engine": "dense"}),
    Way("occlusion", {**WINDOWS, "chunk_size": 16, "engine": "delta"}),
    Way("saliency"),
    Way("input_x_gradient"),
    Way("guided_backprop"),
    Way("deeplift"),
    Way("feature_ablation", {"segments": SEGMENTS, "chunk_size": 5, "engine": "dense"}),
    Way("feature_ablation", {"segments": SEGMENTS, "chunk_size": 5, "engine": "delta"}),
    Way("kernel_shap", {"segments": SEGMENTS, "n_samples": 64, "chunk_size": 9}, is_seeded=True),
    Way("rise", {"n_masks": 30, "grid": 4, "chunk_size": 9}, is_seeded=True),
    Way("lrp"),
    Way("grad_cam"),
    Way("attention_rollout", model=transformer, asks_for_score=False),
    Way("gradient_rollout", model=transformer),
)
