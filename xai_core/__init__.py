"""Attributions of image classifiers: how much each pixel spoke for a class, and can it be trusted.

    >>> import torch
    >>> from xai_core import integrated_gradients, occlusion
    >>> _ = torch.manual_seed(0)
    >>> model = torch.nn.Sequential(
    ...     torch.nn.Conv2d(1, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(144, 3)
    ... ).eval()
    >>> image = torch.rand(1, 1, 8, 8)
    >>> shares = integrated_gradients(model, image, target=2)
    >>> drops = occlusion(model, image, target=2, window=4, stride=2)
    >>> shares.values.shape, drops.values.shape
    (torch.Size([1, 8, 8]), torch.Size([1, 8, 8]))

The shares add up to what the score differs by from a black image's, as those of some other methods
do. The examples of the methods go on from here, with `model`, `image` and this `difference`:

    >>> with torch.inference_mode():
    ...     difference = (model(image) - model(torch.zeros_like(image)))[0, 2].item()
    >>> abs(shares.values.sum().item() - difference) < 0.01
    True

The names below load on first use, so that `import xai_core.model.card` costs no PyTorch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xai_core.attribution import Attribution
    from xai_core.errors import Cancelled, XaiError
    from xai_core.methods.attention.attention_rollout import attention_rollout
    from xai_core.methods.attention.gradient_rollout import gradient_rollout
    from xai_core.methods.gradient.baseline_sensitivity import baseline_sensitivity
    from xai_core.methods.gradient.expected_gradients import expected_gradients
    from xai_core.methods.gradient.grad_cam import grad_cam
    from xai_core.methods.gradient.gradient_shap import gradient_shap
    from xai_core.methods.gradient.integrated_gradients import (
        integrated_gradients,
        integrated_gradients_of,
    )
    from xai_core.methods.gradient.saliency import input_x_gradient, saliency
    from xai_core.methods.gradient.smooth_grad import smooth_grad
    from xai_core.methods.gradient.var_grad import var_grad
    from xai_core.methods.perturbation.feature_ablation import feature_ablation
    from xai_core.methods.perturbation.kernel_shap import kernel_shap
    from xai_core.methods.perturbation.occlusion import occlusion
    from xai_core.methods.perturbation.rise import rise
    from xai_core.methods.relevance.deeplift import deeplift
    from xai_core.methods.relevance.guided_backprop import guided_backprop
    from xai_core.methods.relevance.lrp import lrp
    from xai_core.model.loading import register_architecture

__all__ = [
    "Attribution",
    "Cancelled",
    "XaiError",
    "attention_rollout",
    "baseline_sensitivity",
    "deeplift",
    "expected_gradients",
    "feature_ablation",
    "grad_cam",
    "gradient_rollout",
    "gradient_shap",
    "guided_backprop",
    "input_x_gradient",
    "integrated_gradients",
    "integrated_gradients_of",
    "kernel_shap",
    "lrp",
    "occlusion",
    "register_architecture",
    "rise",
    "saliency",
    "smooth_grad",
    "var_grad",
]

_HOME = {
    "Attribution": "xai_core.attribution",
    "Cancelled": "xai_core.errors",
    "XaiError": "xai_core.errors",
    "attention_rollout": "xai_core.methods.attention.attention_rollout",
    "baseline_sensitivity": "xai_core.methods.gradient.baseline_sensitivity",
    "deeplift": "xai_core.methods.relevance.deeplift",
    "expected_gradients": "xai_core.methods.gradient.expected_gradients",
    "feature_ablation": "xai_core.methods.perturbation.feature_ablation",
    "grad_cam": "xai_core.methods.gradient.grad_cam",
    "gradient_rollout": "xai_core.methods.attention.gradient_rollout",
    "gradient_shap": "xai_core.methods.gradient.gradient_shap",
    "guided_backprop": "xai_core.methods.relevance.guided_backprop",
    "input_x_gradient": "xai_core.methods.gradient.saliency",
    "integrated_gradients": "xai_core.methods.gradient.integrated_gradients",
    "integrated_gradients_of": "xai_core.methods.gradient.integrated_gradients",
    "kernel_shap": "xai_core.methods.perturbation.kernel_shap",
    "lrp": "xai_core.methods.relevance.lrp",
    "occlusion": "xai_core.methods.perturbation.occlusion",
    "register_architecture": "xai_core.model.loading",
    "rise": "xai_core.methods.perturbation.rise",
    "saliency": "xai_core.methods.gradient.saliency",
    "smooth_grad": "xai_core.methods.gradient.smooth_grad",
    "var_grad": "xai_core.methods.gradient.var_grad",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
