"""What the methods that differentiate the score at one image have in common."""

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from xai_core import device as devices
from xai_core.attribution import Attribution
from xai_core.chunks import IsCancelled, Progress, chunks, in_parts
from xai_core.scoring import Output, TargetScore, as_image, differentiable, target_score

Pass = Callable[[TargetScore, Tensor], tuple[Tensor, float]]
"""Takes F and the image, (1, C, H, W); returns the map, (C, H, W), and F(image)."""


def gradients(score: TargetScore, points: Tensor) -> tuple[Tensor, Tensor]:
    """Return dF/dx at each point, (N, C, H, W) as the points, and F there, (N,)."""
    points = points.detach().requires_grad_()
    scores = score(points)
    (slopes,) = torch.autograd.grad(scores.sum(), points)
    return slopes, scores.detach()


def by_one_pass(
    attribute: Pass,
    model: nn.Module,
    image: Tensor,
    *,
    target: int,
    method: str,
    params: dict[str, Any],
    output: Output | str,
    chunk_size: int | None,
    progress: Progress | None,
    cancelled: IsCancelled | None,
) -> Attribution:
    """Explain an image by a method that passes it once; see the methods for the arguments.

    Raises:
        InputError: Image, output or chunk size is not usable.
        TargetError: The target is no class of the model.
        ModelError: The model is in train mode, or does not return class scores.
        Cancelled: The caller asked to stop.
        MemoryExhaustedError: The image is too much for the device.
    """
    started = time.perf_counter()
    with differentiable():
        image = as_image(image, model)
        score = target_score(model, image, target, output)
        parts = in_parts(
            chunks(1, 1 if chunk_size is None else chunk_size),
            lambda _: attribute(score, image),
            progress=progress,
            cancelled=cancelled,
        )
        ((_, (values, f_image)),) = parts
    return Attribution(
        values=values.float().cpu(),
        target=score.target,
        method=method,
        params={**params, "output": str(score.output)},
        seconds=time.perf_counter() - started,
        device=devices.device_name(image.device),
        score=f_image,
    )
