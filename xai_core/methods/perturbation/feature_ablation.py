"""Feature Ablation: Occlusion with regions of any shape in place of windows."""

import time

import torch
from torch import Tensor, nn

from xai_core.attribution import Attribution
from xai_core.incremental.perturbations import RegionPerturbations
from xai_core.incremental.score_drops import CoverEngine, CoverTask, find_score_drops
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
from xai_core.superpixels import as_segments, describe_segments


@documented()
def feature_ablation(
    model: nn.Module,
    image: Tensor,
    *,
    target: int,
    segments: Tensor,
    baseline: Baseline = 0.0,
    engine: CoverEngine | str = CoverEngine.AUTO,
    output: Output | str = Output.LOGIT,
    chunk_size: int | None = None,
    progress: Progress | None = None,
    cancelled: IsCancelled | None = None,
) -> Attribution:
    """Attribute to each region how far the target's score falls when it alone is covered.

    Args:
        segments: A label map, (H, W) of integers 0 to n - 1; see `xai_core.superpixels`.
        baseline: What covers a region, in the model's input space: a number, or a tensor that
            broadcasts to the image.
        engine: "dense" passes every covered image; "delta" passes only what a region changes (see
            `xai_core.incremental`); "auto" is "delta" where that works for 16 regions or more.

    Returns:
        An attribution with the region's drop at each of its pixels and in each channel, in units
        of the target's score; `measures["region_values"]` lists the drops. `params["engine"]` says
        which engine made it, and a note says why "delta" did not work.

    Raises:
        InputError: Image, segments, baseline, engine or output is not usable.
        ModelError: The model is in train mode, does not return class scores, or "delta" was asked
            for and does not work for it.

    Example:
        >>> from xai_core.superpixels import grid_segments
        >>> quarters = grid_segments(8, 8, cell=4)
        >>> drops = feature_ablation(model, image, target=2, segments=quarters)
        >>> len(drops.measures["region_values"])
        4
    """
    started = time.perf_counter()
    engine = choice(CoverEngine, engine, "engine")
    image = as_image(image, model)
    cover = as_baseline(baseline, image)
    score = target_score(model, image, target, output)
    segments = as_segments(segments, image)
    covers = RegionPerturbations(image, cover, segments)
    task = CoverTask(score, covers, Run(chunk_size, progress, cancelled))
    with torch.inference_mode():
        found = find_score_drops(task, engine)
    drops = torch.from_numpy(found.drops).float()
    return Attribution(
        values=drops[segments.cpu()].expand(image.shape[1], -1, -1).contiguous(),
        target=score.target,
        method="feature_ablation",
        params={
            "segments": describe_segments(segments),
            "baseline": describe_baseline(baseline),
            "engine": str(found.engine),
            "output": str(score.output),
        },
        seconds=time.perf_counter() - started,
        device=devices.device_name(image.device),
        score=score.clean_score,
        measures={"region_values": drops.tolist()},
        notes=found.notes,
        channels_share=True,
    )
