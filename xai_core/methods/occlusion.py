"""Occlusion (Zeiler & Fergus, ECCV 2014, arXiv:1311.2901, section 4.2)."""

import time
from enum import StrEnum

import numpy as np
import torch
from torch import Tensor, nn

from xai_core import device as devices
from xai_core.attribution import Attribution
from xai_core.chunks import IsCancelled, Progress
from xai_core.errors import MemoryExhaustedError, ModelError
from xai_core.methods.falls import Falls, OcclusionTask, delta_falls, dense_falls
from xai_core.methods.windows import Extent, Windows
from xai_core.scoring import (
    Baseline,
    Output,
    as_baseline,
    as_image,
    choice,
    describe_baseline,
    target_score,
)

_WORTH_PREPARING = 16  # windows; to trace a model and to check the result costs as many passes


class Engine(StrEnum):
    """How occluded images are scored; the map is the same."""

    AUTO = "auto"
    DENSE = "dense"
    DELTA = "delta"


def occlusion(
    model: nn.Module,
    image: Tensor,
    *,
    target: int,
    window: Extent,
    stride: Extent,
    baseline: Baseline = 0.0,
    engine: Engine | str = Engine.AUTO,
    output: Output | str = Output.LOGIT,
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
        engine: "dense" passes every occluded image; "delta" passes only what a window changes
            (see `xai_core.delta`); "auto" is "delta" wherever that works and pays.
        output: What of the target's scores is explained; see `xai_core.scoring.Output`.
        chunk_size: Occluded images passed at once at most; None takes it from the free memory.
        progress: Called with windows done and their number.
        cancelled: Asked between chunks.

    Returns:
        An attribution with the same values in each channel; `params["engine"]` says which engine
        made it, and a note says why "delta" did not work.

    Raises:
        InputError: Image, baseline, output or engine is not usable.
        WindowError: Window or stride does not fit the image.
        TargetError: The target is no class of the model.
        ModelError: The model is in train mode, does not return class scores, or "delta" was asked
            for and does not work for it.
        Cancelled: The caller asked to stop.
        MemoryExhaustedError: One occluded image at a time is too much for the device.
    """
    started = time.perf_counter()
    engine = choice(Engine, engine, "engine")
    image = as_image(image, model)
    cover = as_baseline(baseline, image)
    channels, height, width = image.shape[1:]
    windows = Windows.over(height, width, window=window, stride=stride)
    score = target_score(model, image, target, output)
    task = OcclusionTask(score, image, cover, windows, chunk_size, progress, cancelled)
    with torch.inference_mode():
        falls, used, notes = _falls(task, engine)
    heat = windows.average(falls)
    return Attribution(
        values=torch.from_numpy(heat.astype(np.float32)).expand(channels, -1, -1).contiguous(),
        target=score.target,
        method="occlusion",
        params={
            "window": [windows.rows.window_px, windows.columns.window_px],
            "stride": [windows.rows.stride_px, windows.columns.stride_px],
            "baseline": describe_baseline(baseline),
            "engine": str(used),
            "output": str(score.output),
        },
        seconds=time.perf_counter() - started,
        device=devices.device_name(image.device),
        score=task.clean_score,
        channels_share=True,
        notes=notes,
    )


def _falls(task: OcclusionTask, engine: Engine) -> tuple[Falls, Engine, tuple[str, ...]]:
    """Return each window's fall of the score, the engine that found it, and notes."""
    if engine is Engine.DENSE or (engine is Engine.AUTO and len(task.windows) < _WORTH_PREPARING):
        return dense_falls(task), Engine.DENSE, ()
    try:
        return delta_falls(task), Engine.DELTA, ()
    except (ModelError, MemoryExhaustedError) as exc:
        if engine is Engine.DELTA:
            raise
        note = f"Computed by passing every occluded image: {exc}."
        return dense_falls(task), Engine.DENSE, (note,)
