"""Occlusion (Zeiler & Fergus, ECCV 2014, arXiv:1311.2901, section 4.2)."""

import time

import torch
from torch import Tensor, nn

from xai_core.attribution import Attribution
from xai_core.incremental.perturbations import WindowPerturbations
from xai_core.incremental.score_drops import (
    CoverEngine,
    CoverTask,
    Precision,
    find_score_drops,
)
from xai_core.incremental.windows import Extent, Windows
from xai_core.methods.documented import documented
from xai_core.runtime import device as devices
from xai_core.runtime.run import IsCancelled, Progress, Run
from xai_core.scoring import (
    Baseline,
    Output,
    as_baseline,
    as_image,
    choice,
    describe_baseline,
    target_score,
)


@documented()
def occlusion(
    model: nn.Module,
    image: Tensor,
    *,
    target: int,
    window: Extent,
    stride: Extent,
    baseline: Baseline = 0.0,
    engine: CoverEngine | str = CoverEngine.AUTO,
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
        window: Window in pixels, an int or (height, width).
        stride: Step in pixels, an int or (height, width); not more than the window.
        baseline: What covers the pixels, in the model's input space: a number, or a tensor that
            broadcasts to the image.
        engine: "dense" passes every covered image; "delta" passes only what a window changes
            (see `xai_core.incremental`); "auto" is "delta" wherever that works and pays.
        precision: "bfloat16" lets the engine "delta" multiply in reduced precision, in as many
            layers as an error within 1% of the map's largest value allows, measured on some
            windows; `measures["rounding_error"]` is what was found there.

    Returns:
        An attribution, with the same values in each channel. `params["engine"]` says which engine
        made it, and a note says why "delta" did not work.

    Raises:
        InputError: Image, baseline, output, engine or precision is not usable.
        WindowError: Window or stride does not fit the image.
        ModelError: The model is in train mode, does not return class scores, or "delta" was asked
            for and does not work for it.

    Example:
        >>> drops = occlusion(model, image, target=2, window=8, stride=8)  # one window
        >>> torch.allclose(drops.values, torch.full((1, 8, 8), difference), atol=1e-5)
        True
    """
    started, run = time.perf_counter(), Run(chunk_size, progress, cancelled)
    engine = choice(CoverEngine, engine, "engine")
    image = as_image(image, model)
    cover = as_baseline(baseline, image)
    height, width = image.shape[2:]
    windows = Windows.over(height, width, window=window, stride=stride)
    score = target_score(model, image, target, output)
    precision = choice(Precision, precision, "precision")
    task = CoverTask(score, WindowPerturbations(image, cover, windows), run, precision)
    with torch.inference_mode():
        found = find_score_drops(task, engine)
    heat = torch.from_numpy(windows.average(found.drops)).float()
    return Attribution(
        values=heat.expand(image.shape[1], -1, -1).contiguous(),
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
        score=score.clean_score,
        channels_share=True,
        measures=found.measures,
        notes=found.notes,
    )
