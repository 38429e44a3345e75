"""Feature Ablation: Occlusion with regions of any shape in place of windows."""

import time

import torch
from torch import Tensor, nn

from xai_core import device as devices
from xai_core.attribution import Attribution
from xai_core.chunks import IsCancelled, Progress
from xai_core.methods.masking import MaskedImage
from xai_core.scoring import Baseline, Output, describe_baseline
from xai_core.superpixels import as_segments, describe_segments


def feature_ablation(
    model: nn.Module,
    image: Tensor,
    *,
    target: int,
    segments: Tensor,
    baseline: Baseline = 0.0,
    output: Output | str = Output.LOGIT,
    chunk_size: int | None = None,
    progress: Progress | None = None,
    cancelled: IsCancelled | None = None,
) -> Attribution:
    """Attribute to each region how far the target's score falls when it alone is covered.

    Args:
        model: In eval mode; takes (N, C, H, W) and returns (N, K) class scores.
        image: (1, C, H, W) floating point, as the model takes it.
        target: Class index to explain.
        segments: A label map, (H, W) of integers 0 to n - 1; see `xai_core.superpixels`.
        baseline: What covers a region, in the model's input space: a number, or a tensor that
            broadcasts to the image.
        output: What of the target's scores is explained; see `xai_core.scoring.Output`.
        chunk_size: Covered images passed at once at most; None takes it from the free memory.
        progress: Called with regions done and their number.
        cancelled: Asked between chunks.

    Returns:
        An attribution with the region's fall at each of its pixels and in each channel, in units
        of the target's score; `measures["region_values"]` lists the falls.

    Raises:
        InputError: Image, segments, baseline or output is not usable.
        TargetError: The target is no class of the model.
        ModelError: The model is in train mode, or does not return class scores.
        Cancelled: The caller asked to stop.
        MemoryExhaustedError: One covered image at a time is too much for the device.
    """
    started = time.perf_counter()
    masked = MaskedImage.of(model, image, target=target, baseline=baseline, output=output)
    segments = as_segments(segments, masked.image)
    regions = torch.arange(int(segments.max()) + 1, device=segments.device)
    scores = masked.scores(
        len(regions),
        lambda chunk: segments != regions[chunk.start : chunk.stop].view(-1, 1, 1, 1),
        chunk_size=chunk_size,
        progress=progress,
        cancelled=cancelled,
    )
    falls = torch.from_numpy(masked.score.clean_score - scores).float()
    channels = masked.image.shape[1]
    return Attribution(
        values=falls[segments.cpu()].expand(channels, -1, -1).contiguous(),
        target=masked.score.target,
        method="feature_ablation",
        params={
            "segments": describe_segments(segments),
            "baseline": describe_baseline(baseline),
            "output": str(masked.score.output),
        },
        seconds=time.perf_counter() - started,
        device=devices.device_name(masked.image.device),
        score=masked.score.clean_score,
        measures={"region_values": falls.tolist()},
        channels_share=True,
    )
