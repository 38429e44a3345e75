"""Occlusion (Zeiler & Fergus, ECCV 2014, arXiv:1311.2901, section 4.2)."""

import time
from collections.abc import Sequence
from enum import StrEnum

import numpy as np
import torch
from torch import Tensor, nn

from xai_core.attribution import Attribution
from xai_core.incremental.falls import CoverTask, Engine, Found, Precision, found_falls
from xai_core.incremental.perturbations import WindowPerturbations
from xai_core.incremental.windows import Extent, Windows
from xai_core.runtime import device as devices
from xai_core.runtime.chunks import IsCancelled, Progress
from xai_core.scoring import (
    Baseline,
    Output,
    as_baseline,
    as_image,
    choice,
    describe_baseline,
    target_score,
)


class Channels(StrEnum):
    """Whether a window covers all channels at once, or one after the other."""

    TOGETHER = "together"
    EACH = "each"


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
    channels: Channels | str = Channels.TOGETHER,
    chunk_size: int | None = None,
    progress: Progress | None = None,
    cancelled: IsCancelled | None = None,
) -> Attribution:
    """Attribute to each pixel how far the target's score falls when a window covers it.

    Windows begin at (0, 0) and cover all channels, or each by itself; those that hang over the
    right or lower edge are cut there. A pixel gets the mean over the windows that cover it.

    Args:
        model: In eval mode; takes (N, C, H, W) and returns (N, K) class scores.
        image: (1, C, H, W) floating point, as the model takes it.
        target: Class index to explain.
        window: Window in pixels, an int or (height, width).
        stride: Step in pixels, an int or (height, width); not more than the window.
        baseline: What covers the pixels, in the model's input space: a number, or a tensor that
            broadcasts to the image.
        engine: "dense" passes every covered image; "delta" passes only what a window changes
            (see `xai_core.incremental`); "auto" is "delta" wherever that works and pays.
        output: What of the target's scores is explained; see `xai_core.scoring.Output`.
        precision: "bfloat16" lets the engine "delta" multiply in reduced precision, in as many
            layers as an error within 1% of the map's largest value allows, measured on some
            windows; `measures["rounding_error"]` is what was found there.
        channels: "each" covers one channel at a time, which tells them apart and takes as many
            times longer as there are channels.
        chunk_size: Covered images passed at once at most; None takes it from the free memory.
        progress: Called with windows done and their number.
        cancelled: Asked between chunks.

    Returns:
        An attribution, with the same values in each channel unless `channels` is "each".
        `params["engine"]` says which engine made it, and a note says why "delta" did not work.

    Raises:
        InputError: Image, baseline, output, engine, precision or channels is not usable.
        WindowError: Window or stride does not fit the image.
        TargetError: The target is no class of the model.
        ModelError: The model is in train mode, does not return class scores, or "delta" was asked
            for and does not work for it.
        Cancelled: The caller asked to stop.
        MemoryExhaustedError: One covered image at a time is too much for the device.
    """
    started = time.perf_counter()
    engine = choice(Engine, engine, "engine")
    image = as_image(image, model)
    cover = as_baseline(baseline, image)
    channels = choice(Channels, channels, "channels")
    height, width = image.shape[2:]
    windows = Windows.over(height, width, window=window, stride=stride)
    score = target_score(model, image, target, output)
    precision = choice(Precision, precision, "precision")
    covers = [cover] if channels is Channels.TOGETHER else _one_channel_each(image, cover)
    parts = []
    for index, part in enumerate(covers):
        report = _report(progress, len(windows), index, len(covers))
        part_covers = WindowPerturbations(image, part, windows)
        task = CoverTask(score, part_covers, chunk_size, report, cancelled, precision)
        with torch.inference_mode():
            parts.append(found_falls(task, engine))
    found = _as_one(parts)
    heats = torch.from_numpy(np.stack([windows.average(part.falls) for part in parts])).float()
    return Attribution(
        values=heats.expand(image.shape[1], -1, -1).contiguous(),
        target=score.target,
        method="occlusion",
        params={
            "window": [windows.rows.window_px, windows.columns.window_px],
            "stride": [windows.rows.stride_px, windows.columns.stride_px],
            "baseline": describe_baseline(baseline),
            "engine": str(found.engine),
            "output": str(score.output),
            "precision": str(found.precision),
            "channels": str(channels),
        },
        seconds=time.perf_counter() - started,
        device=devices.device_name(image.device),
        score=score.clean_score,
        channels_share=channels is Channels.TOGETHER,
        measures=found.measures,
        notes=found.notes,
    )


def _as_one(parts: Sequence[Found]) -> Found:
    """Return how several maps were found: by the slower engine; reduced if any was."""
    errors = [part.measures["rounding_error"] for part in parts if part.measures]
    return Found(
        parts[0].falls,
        Engine.DENSE if any(p.engine is Engine.DENSE for p in parts) else Engine.DELTA,
        Precision.BFLOAT16 if errors else Precision.FLOAT32,
        {"rounding_error": max(errors)} if errors else {},
        tuple(dict.fromkeys(note for part in parts for note in part.notes)),
    )


def _one_channel_each(image: Tensor, cover: Tensor) -> list[Tensor]:
    """Return covers that each change one channel of the image alone."""
    covers = image.repeat(image.shape[1], 1, 1, 1)
    for channel, changed in enumerate(covers):
        changed[channel] = cover[0, channel]
    return list(covers[:, None])


def _report(progress: Progress | None, n_windows: int, index: int, n: int) -> Progress | None:
    """Return what reports the windows of one of `n` maps among those of all."""
    if progress is None:
        return None
    return lambda n_done, _: progress(index * n_windows + n_done, n * n_windows)
