"""Divisions of an image into regions, the features of Feature Ablation and KernelSHAP.

A division is a label map: (H, W) int64 on the CPU, the regions numbered 0 to n - 1.
"""

import hashlib
import operator

import numpy as np
import torch
from skimage.segmentation import slic
from torch import Tensor

from xai_core.errors import InputError

_COMPACTNESS = {"colour": 10.0, "grey": 0.1}
"""Weight of nearness against likeness: CIELAB runs to 100, intensities to 1."""


def superpixels(
    image_unit: Tensor, *, n_segments: int = 50, compactness: float | None = None
) -> Tensor:
    """Divide an image along its own edges by SLIC (Achanta et al., TPAMI 2012).

    Colour is compared in CIELAB, anything but three channels as it stands. Regions are connected,
    and the same image is always divided in the same way.

    Args:
        image_unit: (C, H, W), unit range.
        n_segments: About how many regions to make.
        compactness: How much more nearness counts than likeness; None is 10 for colour, 0.1 else.

    Returns:
        A label map, (H, W).

    Raises:
        InputError: The image is not in the unit range, or a number is not positive.

    Example:
        >>> labels = superpixels(image[0], n_segments=4)
        >>> labels.shape, int(labels.min())
        (torch.Size([8, 8]), 0)
    """
    if image_unit.dim() != 3 or image_unit.numel() == 0:
        raise InputError(f"image has shape {tuple(image_unit.shape)}; allowed: (C, H, W)")
    low, high = (float(limit) for limit in image_unit.detach().aminmax())
    if not 0 <= low <= high <= 1:
        raise InputError(f"image runs from {low:.3g} to {high:.3g}; allowed: 0 to 1")
    n_segments = _positive("n_segments", n_segments)
    is_colour = len(image_unit) == 3
    if compactness is None:
        compactness = _COMPACTNESS["colour" if is_colour else "grey"]
    if not compactness > 0:
        raise InputError(f"compactness is {compactness}; allowed: more than 0")
    labels = slic(
        image_unit.detach().cpu().double().permute(1, 2, 0).numpy(),
        n_segments=n_segments,
        compactness=compactness,
        convert2lab=is_colour,
        start_label=0,
        channel_axis=-1,
    )
    return numbered(torch.from_numpy(labels))


def grid_segments(height: int, width: int, *, cell: int) -> Tensor:
    """Divide an image into squares, row by row; the last of a row or column may be cut.

    Args:
        height: Of the image, pixels.
        width: Of the image, pixels.
        cell: Side of a square, pixels.

    Returns:
        A label map, (H, W).

    Raises:
        InputError: A number is not positive.

    Example:
        >>> grid_segments(2, 3, cell=2)
        tensor([[0, 0, 1],
                [0, 0, 1]])
    """
    height, width = _positive("height", height), _positive("width", width)
    cell = _positive("cell", cell)
    rows, columns = torch.arange(height) // cell, torch.arange(width) // cell
    return rows[:, None] * (columns[-1] + 1) + columns


def numbered(labels: Tensor) -> Tensor:
    """Return any labels, (H, W) of integers, numbered 0 to n - 1 in their own order.

    Example:
        >>> numbered(torch.tensor([[7, 7], [3, 9]]))
        tensor([[1, 1],
                [0, 2]])
    """
    _, numbers = np.unique(labels.cpu().numpy(), return_inverse=True)
    return torch.from_numpy(numbers.astype(np.int64)).view(labels.shape)


def as_segments(segments: Tensor, image: Tensor) -> Tensor:
    """Check a label map of `image`, (..., H, W), and return it as int64 on the image's device.

    Raises:
        InputError: It is no integer (H, W) tensor, or its numbers leave gaps.
    """
    height, width = image.shape[-2:]
    if not isinstance(segments, Tensor):
        raise InputError(f"segments is a {type(segments).__name__}; allowed: a tensor (H, W)")
    if segments.shape != (height, width):
        shape = tuple(segments.shape)
        raise InputError(f"segments has shape {shape}; allowed here: {(height, width)}")
    if segments.is_floating_point() or segments.is_complex() or segments.dtype == torch.bool:
        raise InputError(f"segments is {segments.dtype}; allowed: integers")
    present = segments.unique()  # type: ignore[no-untyped-call]
    if not torch.equal(present.long(), torch.arange(len(present), device=present.device)):
        raise InputError(
            f"segments holds {len(present)} labels from {int(present[0])} to {int(present[-1])}; "
            "allowed: 0 to n - 1 without gaps, see xai_core.superpixels.numbered"
        )
    return segments.to(image.device, torch.int64)


def describe_segments(segments: Tensor) -> dict[str, object]:
    """Return a JSON-safe record of a label map: its shape, regions and hash."""
    values = segments.cpu().contiguous()
    digest = hashlib.sha256(values.numpy().tobytes()).hexdigest()
    n_segments = int(values.max()) + 1
    return {"shape": list(values.shape), "n_segments": n_segments, "int64_sha256": digest}


def _positive(name: str, number: int) -> int:
    try:
        value = operator.index(number)
    except TypeError:
        value = 0
    if value < 1:
        raise InputError(f"{name} is {number!r}; allowed: an integer of 1 or more")
    return value
