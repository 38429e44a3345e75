# Made by `make docs`; see docs/public_stub.py.
from .attribution import Attribution as Attribution
from .errors import Cancelled as Cancelled
from .errors import XaiError as XaiError
from .methods.attention.attention_rollout import attention_rollout as attention_rollout
from .methods.attention.gradient_rollout import gradient_rollout as gradient_rollout
from .methods.gradient.baseline_sensitivity import baseline_sensitivity as baseline_sensitivity
from .methods.gradient.expected_gradients import expected_gradients as expected_gradients
from .methods.gradient.grad_cam import grad_cam as grad_cam
from .methods.gradient.gradient_shap import gradient_shap as gradient_shap
from .methods.gradient.integrated_gradients import integrated_gradients as integrated_gradients
from .methods.gradient.integrated_gradients import integrated_gradients_of as integrated_gradients_of
from .methods.gradient.saliency import input_x_gradient as input_x_gradient
from .methods.gradient.saliency import saliency as saliency
from .methods.gradient.smooth_grad import smooth_grad as smooth_grad
from .methods.gradient.var_grad import var_grad as var_grad
from .methods.perturbation.feature_ablation import feature_ablation as feature_ablation
from .methods.perturbation.kernel_shap import kernel_shap as kernel_shap
from .methods.perturbation.occlusion import occlusion as occlusion
from .methods.perturbation.rise import rise as rise
from .methods.relevance.deeplift import deeplift as deeplift
from .methods.relevance.guided_backprop import guided_backprop as guided_backprop
from .methods.relevance.lrp import lrp as lrp
from .model.architectures import register_architecture as register_architecture

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
