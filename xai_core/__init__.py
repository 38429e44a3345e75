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

The public names load on first use, so that `import xai_core.model.card` costs no PyTorch. They
stand in `__init__.pyi`, which `make docs` writes from the glossary.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
