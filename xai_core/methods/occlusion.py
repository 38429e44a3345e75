"""Occlusion (Zeiler & Fergus, ECCV 2014, arXiv:1311.2901, section 4.2)."""

import time

import numpy as np
import torch
from torch import Tensor, nn

from xai_core import device as devices
from xai_core.attribution import Attribution
from xai_core.chunks import IsCancelled, Progress, in_chunks
from xai_core.methods.windows import Extent, Windows
from xai_core.scoring import (
    Baseline,
    activation_bytes,
    as_baseline,
    as_image,
    describe_baseline,
    target_score,
)


def occlusion(
    model: nn.Module,
    image: Tensor,
    *,
    target: int,
    window: Extent,
    stride: Extent,
    baseline: Baseline = 0.0,
    chunk_size: int | None = None,
    progress: Progress | None = None,
    cancelled: IsCancelled | None = None,
) -> Attribution:
    """Attribute to each pixel how far the target's score falls when a window covers it.

    Windows begin at (0, 0) and cover all channels; those that hang over the right or lower edge
    are cut there. A pixel gets the mean over the windows that cover it.

    Args:
        model: In eval mode; takes (N, C, H, W) and returns (N, K) class scores.
        image: (1, C, H, W) floating point, as the model takes it.
        target: Class index to explain.
        window: Window in pixels, an int or (height, width).
        stride: Step in pixels, an int or (height, width); not more than the window.
        baseline: What covers the pixels, in the model's input space: a number, or a tensor that
            broadcasts to the image.
        chunk_size: Occluded images passed at once; None takes it from the free memory.
        progress: Called with windows done and their number.
        cancelled: Asked between chunks.

    Returns:
        An attribution with the same values in each channel.

    Raises:
        InputError: Image or baseline is not usable.
        WindowError: Window or stride does not fit the image.
        TargetError: The target is no class of the model.
        ModelError: The model is in train mode or does not return class scores.
        Cancelled: The caller asked to stop.
        MemoryExhaustedError: One occluded image at a time is too much for the device.
    """
    started = time.perf_counter()
    image = as_image(image, model)
    cover = as_baseline(baseline, image)
    channels, height, width = image.shape[1:]
    windows = Windows.over(height, width, window=window, stride=stride)
    score = target_score(model, image, target)
    size = chunk_size or devices.chunk_size(
        activation_bytes(score, image), image.device, limit=len(windows)
    )

    def scores(first: int, last: int) -> Tensor:
        return score(_covered(image, cover, windows, first, last)).double().cpu()

    with torch.no_grad():
        f_image = float(score(image))
        parts = list(in_chunks(len(windows), size, scores, progress=progress, cancelled=cancelled))
    heat = windows.average(f_image - torch.cat(parts).numpy())
    return Attribution(
        values=torch.from_numpy(heat.astype(np.float32)).expand(channels, -1, -1).contiguous(),
        target=score.target,
        method="occlusion",
        params={
            "window": [windows.rows.window_px, windows.columns.window_px],
            "stride": [windows.rows.stride_px, windows.columns.stride_px],
            "baseline": describe_baseline(baseline),
        },
        seconds=time.perf_counter() - started,
        device=devices.device_name(image.device),
        score=f_image,
    )


def _covered(image: Tensor, cover: Tensor, windows: Windows, first: int, last: int) -> Tensor:
    """Return copies of the image, (last - first, C, H, W), each with one window covered."""
    batch = image.repeat(last - first, 1, 1, 1)
    for copy, index in zip(batch, range(first, last), strict=True):
        rows, columns = windows.rectangle(index)
        copy[:, rows, columns] = cover[0, :, rows, columns]
    return batch
