"""From an image in [0, 1] to a model's input, and back to where it lies on the image."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from xai_core.card import Preprocessing
from xai_core.errors import InputError

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Pillow's "L"


@dataclass(frozen=True)
class Geometry:
    """The rectangle of the image that a model's input shows, in image pixels.

    It may reach outside the image where a crop is larger than the resized image.
    """

    x: float
    y: float
    width: float
    height: float

    def to_json(self) -> dict[str, float]:
        """Return a JSON-safe mapping."""
        return asdict(self)

    @classmethod
    def from_json(cls, mapping: dict[str, Any]) -> "Geometry":
        """Read what `to_json` wrote."""
        return cls(**mapping)


def to_input(image: NDArray[np.float32], preprocessing: Preprocessing) -> tuple[Tensor, Geometry]:
    """Resize and crop an image to a model's input, still in the unit range.

    The shorter side is resized with antialiased bilinear interpolation and the centre cropped, as
    torchvision's `Resize` and `CenterCrop` do. Baselines are made from the result, then both are
    normalised.

    Args:
        image: (H, W) grey or (H, W, 3) RGB, float32 in [0, 1].
        preprocessing: The model card's.

    Returns:
        The input, (1, C, h, w) float32 in [0, 1], and the rectangle of the image that it shows.

    Raises:
        InputError: If the image has another shape or values outside [0, 1].
    """
    tensor = _as_tensor(image, preprocessing.channels)
    height, width = tensor.shape[-2:]
    if preprocessing.resize is not None:
        size = _resized(height, width, preprocessing.resize)
        tensor = F.interpolate(
            tensor, size=size, mode="bilinear", align_corners=False, antialias=True
        ).clamp_(0, 1)
    y_scale, x_scale = tensor.shape[-2] / height, tensor.shape[-1] / width
    tensor, top, left = _centre_crop(tensor, preprocessing.crop or tuple(tensor.shape[-2:]))
    geometry = Geometry(
        x=left / x_scale,
        y=top / y_scale,
        width=tensor.shape[-1] / x_scale,
        height=tensor.shape[-2] / y_scale,
    )
    return tensor.contiguous(), geometry


def normalise(image: Tensor, preprocessing: Preprocessing) -> Tensor:
    """Scale an input (..., C, H, W) from the unit range to what the model takes."""
    low, high = preprocessing.input_range
    mean = image.new_tensor(preprocessing.mean)[:, None, None]
    std = image.new_tensor(preprocessing.std)[:, None, None]
    return (low + (high - low) * image - mean) / std


def _as_tensor(image: NDArray[np.float32], n_channels: int) -> Tensor:
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3):
        raise InputError(f"the image has shape {image.shape}; allowed: (H, W) or (H, W, 3)")
    if image.size == 0 or not (np.isfinite(image).all() and 0 <= image.min() <= image.max() <= 1):
        raise InputError("the image has values outside [0, 1]")
    tensor = torch.from_numpy(np.ascontiguousarray(image, dtype=np.float32))
    if tensor.ndim == 2:
        return tensor.expand(1, n_channels, -1, -1)
    tensor = tensor.permute(2, 0, 1)[None]
    if n_channels == 3:
        return tensor
    return (tensor * tensor.new_tensor(LUMA)[:, None, None]).sum(1, keepdim=True)


def _resized(height: int, width: int, shorter: int) -> tuple[int, int]:
    """Return the size with the shorter side as wanted, rounded as torchvision rounds."""
    if height <= width:
        return shorter, int(shorter * width / height)
    return int(shorter * height / width), shorter


def _centre_crop(tensor: Tensor, size: tuple[int, ...]) -> tuple[Tensor, int, int]:
    """Cut the centre, padding with 0 where the image is smaller; return it with top and left."""
    height, width = tensor.shape[-2:]
    pad_y, pad_x = max(size[0] - height, 0), max(size[1] - width, 0)
    if pad_y or pad_x:
        padding = (pad_x // 2, pad_x - pad_x // 2, pad_y // 2, pad_y - pad_y // 2)
        tensor = F.pad(tensor, padding)
    top = round((tensor.shape[-2] - size[0]) / 2)
    left = round((tensor.shape[-1] - size[1]) / 2)
    cropped = tensor[..., top : top + size[0], left : left + size[1]]
    return cropped, top - pad_y // 2, left - pad_x // 2
