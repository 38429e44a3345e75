"""From an image in the unit range to a model's input, and where that input lies on the image."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from xai_core.errors import InputError
from xai_core.model.card import Interpolation, Preprocessing, Size

_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Pillow's "L"
_LEVEL_TOLERANCE = 1e-3  # of 255: an image this near to whole levels is one of 8 bits
_MOST_PIXELS = 2**25  # of a resized image, before its crop


@dataclass(frozen=True)
class Geometry:
    """The rectangle of the image that a model's input shows, in image pixels.

    It reaches outside the image where the input was padded.

    Attributes:
        x: Left edge.
        y: Top edge.
        width: To the right of `x`.
        height: Down from `y`.
    """

    x: float
    y: float
    width: float
    height: float

    def to_json(self) -> dict[str, float]:
        """Return a JSON-safe mapping."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, float]) -> "Geometry":
        """Return the geometry that `to_json` wrote."""
        return cls(**values)


def to_input(
    unit: NDArray[np.float32], preprocessing: Preprocessing, *, pixel_aspect: float = 1.0
) -> tuple[Tensor, Geometry]:
    """Resize and crop an image to a model's input, still in the unit range.

    Baselines are made from the result; then both are normalised. Sizes are rounded as
    torchvision's `Resize` and `CenterCrop` round them.

    Args:
        unit: (H, W) grey or (H, W, 3) RGB, in [0, 1].
        preprocessing: The model card's.
        pixel_aspect: Height of a pixel over its width; the model is given the true shape.

    Returns:
        The input, (1, C, h, w) float32 in [0, 1] on the CPU, and where it lies on the image.

    Raises:
        InputError: The image has another shape, values outside [0, 1], or is too elongated.
    """
    image = _as_tensor(unit, preprocessing.channels)
    height, width = image.shape[2:]
    size = _size(true_size(height, width, pixel_aspect), preprocessing.resize)
    if size != (height, width):
        image = _resized(image, size, preprocessing.interpolation)
    y_scale, x_scale = height / image.shape[2], width / image.shape[3]
    image, top, left = _centre_cropped(image, preprocessing.crop)
    geometry = Geometry(
        x=left * x_scale,
        y=top * y_scale,
        width=image.shape[3] * x_scale,
        height=image.shape[2] * y_scale,
    )
    return image.contiguous(), geometry


def normalise(unit: Tensor, preprocessing: Preprocessing) -> Tensor:
    """Scale (..., C, H, W) from the unit range to the values that the model takes."""
    low, high = preprocessing.input_range
    mean = unit.new_tensor(preprocessing.mean).view(-1, 1, 1)
    std = unit.new_tensor(preprocessing.std).view(-1, 1, 1)
    return (low + (high - low) * unit - mean) / std


def _as_tensor(unit: NDArray[np.float32], n_channels: int) -> Tensor:
    """Return the image as (1, C, H, W) float32 with the wanted number of channels."""
    if unit.size == 0 or unit.shape[2:] not in ((), (3,)) or unit.ndim < 2:
        raise InputError(f"image has shape {unit.shape}; allowed: (H, W) or (H, W, 3)")
    if not 0 <= unit.min() <= unit.max() <= 1:  # false for NaN, too
        raise InputError(f"image holds {unit.min()} to {unit.max()}; allowed: 0 to 1")
    image = torch.from_numpy(np.array(unit, dtype=np.float32))
    if image.dim() == 2:
        return image.expand(1, n_channels, -1, -1)
    image = image.permute(2, 0, 1)[None]
    if n_channels == 3:
        return image
    return (image * image.new_tensor(_LUMA).view(3, 1, 1)).sum(1, keepdim=True)


def true_size(height: int, width: int, pixel_aspect: float) -> tuple[int, int]:
    """Return (height, width) of an image once its pixels are square; none are given up."""
    if pixel_aspect >= 1:
        return max(1, round(height * pixel_aspect)), width
    return height, max(1, round(width / pixel_aspect))


def _size(true: tuple[int, int], wanted: Size | None) -> tuple[int, int]:
    """Return the (height, width) that an image of a true size is resized to."""
    if not isinstance(wanted, int):
        return wanted or true
    height, width = true
    longer = int(wanted * max(height, width) / min(height, width))
    return (wanted, longer) if height <= width else (longer, wanted)


def _resized(image: Tensor, size: tuple[int, int], interpolation: Interpolation) -> Tensor:
    height, width = image.shape[2:]
    if size[0] * size[1] > _MOST_PIXELS:
        raise InputError(
            f"image of {width} x {height} px resizes to {size[1]} x {size[0]} px; "
            f"allowed: up to {_MOST_PIXELS} px in all"
        )
    levels = 255 * image
    pixels = levels.round().to(torch.uint8)
    # Models are trained behind Pillow, which rounds 8-bit images after each axis; at the limit
    # between two classes, such as SqueezeNet's breeds of dogs, scores differ by 0.02 without that.
    if (levels - pixels).abs().max() < _LEVEL_TOLERANCE:
        return F.interpolate(pixels, size, mode=interpolation, antialias=True) / 255
    resized = F.interpolate(image, size, mode=interpolation, antialias=True)
    return resized.clamp(0, 1)  # bicubic kernels overshoot


def _centre_cropped(image: Tensor, crop: Size | None) -> tuple[Tensor, int, int]:
    """Return the centre, padded with black, and its top and left in the image given."""
    if crop is None:
        return image, 0, 0
    height, width = (crop, crop) if isinstance(crop, int) else crop
    spare_y, spare_x = height - image.shape[2], width - image.shape[3]
    above, before = max(spare_y, 0) // 2, max(spare_x, 0) // 2
    padded = F.pad(image, (before, max(spare_x, 0) - before, above, max(spare_y, 0) - above))
    top, left = round((padded.shape[2] - height) / 2), round((padded.shape[3] - width) / 2)
    cropped = padded[:, :, top : top + height, left : left + width]
    return cropped, top - above, left - before
