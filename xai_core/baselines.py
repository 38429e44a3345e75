"""Pictures that stand for "nothing there", made before normalisation.

Every function takes an image (C, H, W) in the unit range [0, 1] and returns a baseline of the same
shape, dtype, range and device. Normalise it as the image: then black is black, whatever mean and
standard deviation the model wants.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from xai_core.errors import InputError


def black(image: Tensor) -> Tensor:
    """Return 0 everywhere."""
    return torch.zeros_like(image)


def white(image: Tensor) -> Tensor:
    """Return 1 everywhere."""
    return torch.ones_like(image)


def mean(image: Tensor) -> Tensor:
    """Return each channel's mean everywhere.

    Example:
        >>> mean(torch.tensor([[[0.0, 1.0]]]))
        tensor([[[0.5000, 0.5000]]])
    """
    return image.mean((1, 2), keepdim=True).expand_as(image).clone()


def blurred(image: Tensor, *, sigma: float | None = None) -> Tensor:
    """Return the image under a Gaussian blur (Fong & Vedaldi, ICCV 2017).

    Args:
        image: (C, H, W), unit range.
        sigma: Standard deviation in pixels; None is 5 % of the shorter side.

    Raises:
        InputError: `sigma` is not positive.

    Example:
        >>> bool(blurred(image[0], sigma=2.0).std() < image[0].std())
        True
    """
    sigma = 0.05 * min(image.shape[1:]) if sigma is None else sigma
    if not sigma > 0:
        raise InputError(f"sigma is {sigma} px; allowed: more than 0")
    planes = image[:, None]
    for axis, length in ((2, image.shape[1]), (3, image.shape[2])):
        radius = round(min(4 * sigma, length - 1))
        offsets = torch.arange(-radius, radius + 1, dtype=image.dtype, device=image.device)
        kernel = torch.exp(-0.5 * (offsets / sigma) ** 2)
        shape = [1, 1, 1, 1]
        shape[axis] = -1
        padding = (0, 0, radius, radius) if axis == 2 else (radius, radius, 0, 0)
        padded = F.pad(planes, padding, mode="reflect")
        planes = F.conv2d(padded, (kernel / kernel.sum()).view(shape))
    return planes[:, 0].clamp(0, 1)


def noise(image: Tensor, *, seed: int = 0) -> Tensor:
    """Return uniform noise over the unit range, the same for the same seed on every device."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(image.shape, generator=generator).to(image)


BY_NAME: dict[str, Callable[[Tensor], Tensor]] = {
    "black": black,
    "white": white,
    "mean": mean,
    "blurred": blurred,
    "noise": noise,
}
"""The baselines by the names under which they are recorded."""
