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

The names below load on first use, so that `import xai_core.model.card` costs no PyTorch. A method
is found by its name: `rise` is the function in `methods/*/rise.py`.
"""

from importlib import import_module
from pathlib import Path
from typing import Any

from xai_core.glossary.entries import METHODS

_HOME = {
    "Attribution": "xai_core.attribution",
    "Cancelled": "xai_core.errors",
    "XaiError": "xai_core.errors",
    "input_x_gradient": "xai_core.methods.gradient.saliency",
    "integrated_gradients_of": "xai_core.methods.gradient.integrated_gradients",
    "register_architecture": "xai_core.model.loading",
}
"""What is not the method that its file is named for."""

__all__ = sorted({*_HOME, *METHODS})


def _home(name: str) -> str:
    if name in _HOME:
        return _HOME[name]
    if name not in METHODS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    (file,) = Path(__file__).parent.glob(f"methods/*/{name}.py")
    return f"xai_core.methods.{file.parent.name}.{name}"


def __getattr__(name: str) -> Any:
    value = getattr(import_module(_home(name)), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
