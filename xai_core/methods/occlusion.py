"""Occlusion (Zeiler & Fergus, ECCV 2014, arXiv:1311.2901, section 4.2)."""

import time
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import torch
from torch import Tensor, nn

from xai_core import device as devices
from xai_core.attribution import Attribution
from xai_core.chunks import IsCancelled, Progress
from xai_core.errors import MemoryExhaustedError, ModelError
from xai_core.methods.falls import Falls, OcclusionTask, Precision, delta_falls, dense_falls
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
    precision: Precision | str = Precision.FLOAT32,
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
        precision: "bfloat16" lets the engine "delta" multiply in reduced precision, in as many
            layers as an error within 1% of the map's largest value allows, measured on some
            windows; `measures["rounding_error"]` is what was found there.
        chunk_size: Occluded images passed at once at most; None takes it from the free memory.
        progress: Called with windows done and their number.
        cancelled: Asked between chunks.

    Returns:
        An attribution with the same values in each channel; `params["engine"]` says which engine
        made it, and a note says why "delta" did not work.

    Raises:
        InputError: Image, baseline, output, engine or precision is not usable.
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
    precision = choice(Precision, precision, "precision")
    task = OcclusionTask(score, image, cover, windows, chunk_size, progress, cancelled, precision)
    with torch.inference_mode():
        found = _found(task, engine)
    heat = windows.average(found.falls)
    return Attribution(
        values=torch.from_numpy(heat.astype(np.float32)).expand(channels, -1, -1).contiguous(),
        target=score.target,
        method="occlusion",
        params={
            "window": [windows.rows.window_px, windows.columns.window_px],
            "stride": [windows.rows.stride_px, windows.columns.stride_px],
            "baseline": describe_baseline(baseline),
            "engine": str(found.engine),
            "output": str(score.output),
            "precision": str(found.precision),
        },
        seconds=time.perf_counter() - started,
        device=devices.device_name(image.device),
        score=task.clean_score,
        channels_share=True,
        measures=found.measures,
        notes=found.notes,
    )


@dataclass(frozen=True)
class _Found:
    """Each window's fall of the score, and how it was found."""

    falls: Falls
    engine: Engine
    precision: Precision = Precision.FLOAT32
    measures: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def _found(task: OcclusionTask, engine: Engine) -> _Found:
    full = _full_precision(task) if task.precision is Precision.BFLOAT16 else ()
    if engine is Engine.DENSE or (engine is Engine.AUTO and len(task.windows) < _WORTH_PREPARING):
        return _Found(dense_falls(task), Engine.DENSE, notes=full)
    try:
        falls, rounding = delta_falls(task)
    except (ModelError, MemoryExhaustedError) as exc:
        if engine is Engine.DELTA:
            raise
        note = f"Computed by passing every occluded image: {exc}."
        return _Found(dense_falls(task), Engine.DENSE, notes=(note, *full))
    if rounding is None:
        return _Found(falls, Engine.DELTA, notes=full)
    n_reduced = rounding.n_layers - rounding.n_kept
    note = (
        f"Reduced precision: {n_reduced} of {rounding.n_layers} layers multiply in bfloat16; "
        f"on some windows the error is {rounding.error:.1%} of the largest fall."
    )
    return _Found(
        falls, Engine.DELTA, Precision.BFLOAT16, {"rounding_error": rounding.error}, (note,)
    )


def _full_precision(task: OcclusionTask) -> tuple[str, ...]:
    return (f"Computed in full precision ({task.image.dtype}), for reduced precision did not pay.",)
