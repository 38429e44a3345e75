"""KernelSHAP on regions (Lundberg & Lee, NeurIPS 2017, arXiv:1705.07874, section 4.1)."""

import time

import numpy as np
import torch
from torch import Tensor, nn

from xai_core.attribution import Attribution
from xai_core.methods.documented import documented
from xai_core.methods.perturbation.coalitions import Coalitions, ShapleyFit, fit
from xai_core.methods.perturbation.masking import MaskedImage
from xai_core.runtime import device as devices
from xai_core.runtime.run import IsCancelled, Progress, Run
from xai_core.scoring import Baseline, Output, describe_baseline
from xai_core.superpixels import as_segments, describe_segments


@documented()
def kernel_shap(
    model: nn.Module,
    image: Tensor,
    *,
    target: int,
    segments: Tensor,
    n_samples: int = 1024,
    baseline: Baseline = 0.0,
    output: Output | str = Output.LOGIT,
    seed: int = 0,
    chunk_size: int | None = None,
    progress: Progress | None = None,
    cancelled: IsCancelled | None = None,
) -> Attribution:
    """Attribute to each region its Shapley value: its fair share of F(image) - F(baseline).

    Args:
        segments: A label map, (H, W) of integers 0 to n - 1; see `xai_core.superpixels`.
        n_samples: Coalitions of regions to pass, each with its complement; from 2^n - 2 on all
            are passed, and the values are exact.
        baseline: What covers the regions outside a coalition, in the model's input space: a
            number, or a tensor that broadcasts to the image.

    Returns:
        An attribution with the region's value at each of its pixels and in each channel, in units
        of the target's score. `measures` holds `region_values`, which sum to F(image) -
        F(baseline), their `standard_errors`, the root mean square of these, `standard_error`, and
        `r_squared`, how well sums of the values foretell the coalitions' scores.

    Raises:
        InputError: Image, segments, baseline or output is not usable, or there are too few
            samples for the regions.

    Example:
        >>> from xai_core.superpixels import grid_segments
        >>> quarters = grid_segments(8, 8, cell=4)
        >>> shares = kernel_shap(model, image, target=2, segments=quarters)
        >>> abs(sum(shares.measures["region_values"]) - difference) < 1e-5
        True
    """
    started = time.perf_counter()
    masked = MaskedImage.of(model, image, target=target, baseline=baseline, output=output)
    segments = as_segments(segments, masked.image)
    coalitions = Coalitions.of(int(segments.max()) + 1, n_samples=n_samples, seed=seed)
    members = torch.from_numpy(coalitions.members).to(segments.device)
    scores = masked.scores(
        len(members),
        lambda chunk: members[chunk.start : chunk.stop][:, segments].unsqueeze(1),
        Run(chunk_size, progress, cancelled),
    )
    fitted = fit(coalitions, scores, empty=masked.baseline_score, full=masked.score.clean_score)
    heat = torch.from_numpy(fitted.values).float()[segments.cpu()]
    return Attribution(
        values=heat.expand(masked.image.shape[1], -1, -1).contiguous(),
        target=masked.score.target,
        method="kernel_shap",
        params={
            "segments": describe_segments(segments),
            "n_samples": n_samples,
            "baseline": describe_baseline(baseline),
            "output": str(masked.score.output),
            "seed": seed,
        },
        seconds=time.perf_counter() - started,
        device=devices.device_name(masked.image.device),
        score=masked.score.clean_score,
        baseline_score=masked.baseline_score,
        measures=_measures(fitted, n_passed=len(members)),
        channels_share=True,
    )


def _measures(fitted: ShapleyFit, *, n_passed: int) -> dict[str, object]:
    return {
        "n_coalitions": n_passed,
        "region_values": fitted.values.tolist(),
        "standard_errors": fitted.standard_errors.tolist(),
        "standard_error": float(np.sqrt((fitted.standard_errors**2).mean())),
        "r_squared": fitted.r_squared,
    }
