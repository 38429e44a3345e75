"""Expected Gradients (Erion et al. 2021, arXiv:1906.10670): IG averaged over several baselines."""

import time
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from xai_core.attribution import Attribution
from xai_core.errors import InputError
from xai_core.methods.documented import documented
from xai_core.methods.gradient.integral import Integral, PathEngine, choose_integrator
from xai_core.methods.gradient.integrated_gradients import integrated_gradients
from xai_core.methods.gradient.quadrature import Quadrature
from xai_core.methods.gradient.sampling import Moments
from xai_core.runtime import device as devices
from xai_core.runtime.run import IsCancelled, Progress, Run
from xai_core.scoring import (
    Baseline,
    Output,
    as_baseline,
    as_image,
    describe_baseline,
    differentiable,
    target_score,
)


@documented(like=integrated_gradients)
def expected_gradients(
    model: nn.Module,
    image: Tensor,
    *,
    target: int,
    baselines: Sequence[Baseline] | Tensor,
    n_steps: int = 50,
    rule: Quadrature | str = Quadrature.GAUSS_LEGENDRE,
    tolerance: float = 0.01,
    engine: PathEngine | str | None = None,
    output: Output | str = Output.LOGIT,
    chunk_size: int | None = None,
    progress: Progress | None = None,
    cancelled: IsCancelled | None = None,
) -> Attribution:
    """Attribute the target's score by Integrated Gradients from each of several baselines.

    Where the paper draws points at random, each path is integrated here: the map is the mean of
    the baselines' maps, without noise of its own, and how far these differ is known.

    Args:
        baselines: One or more, in the model's input space: numbers, tensors that broadcast to the
            image, or a tensor of them.
        n_steps: Points on each path.
        progress: Called with points done and those of all paths.

    Returns:
        An attribution whose values sum to F(image) less the mean of F(baseline), up to
        `convergence_delta`. `spread` is the standard deviation of the baselines' maps over
        pixels, and `measures["relative_spread"]` its size beside the map's (L2).

    Raises:
        InputError: There is no baseline, or as `integrated_gradients` raises it.

    Example:
        >>> shares = expected_gradients(model, image, target=2, baselines=[0.0, 1.0])
        >>> shares.values.shape, shares.spread.shape
        (torch.Size([1, 8, 8]), torch.Size([8, 8]))
    """
    started = time.perf_counter()
    if len(baselines) == 0:
        raise InputError("baselines is empty; allowed: one baseline or more")
    how = choose_integrator(rule=rule, n_steps=n_steps, tolerance=tolerance, engine=engine)
    run = Run(chunk_size, progress, cancelled)
    with differentiable():
        image = as_image(image, model)
        starts = [as_baseline(each, image) for each in baselines]
        score = target_score(model, image, target, output)
        maps, heats, found = Moments(), Moments(), []
        for number, start in enumerate(starts):
            found.append(how.integrate(start, image, [score], run.part(number, len(starts))))
            maps.add(found[-1].values)
            heats.add(found[-1].values.sum(1))
    values, spread = maps.mean.float().cpu(), heats.variance.sqrt().float().cpu()
    f_image = float(found[0].end_scores)
    f_starts = sum(float(each.start_scores) for each in found) / len(found)
    return Attribution(
        values=values,
        target=score.target,
        method="expected_gradients",
        params={
            "baselines": [describe_baseline(each) for each in baselines],
            **how.params,
            "output": str(score.output),
        },
        seconds=time.perf_counter() - started,
        device=devices.device_name(image.device),
        score=f_image,
        baseline_score=f_starts,
        convergence_delta=float(values.double().sum()) - (f_image - f_starts),
        measures={**_measures(found), "relative_spread": _relative(spread, values.sum(0))},
        notes=tuple(dict.fromkeys(note for each in found for note in each.notes)),
        spread=spread,
    )


def _measures(found: Sequence[Integral]) -> dict[str, Any]:
    """Return the adaptive rule's measures over all paths: points in all, the worst of the rest."""
    measures = [each.measures for each in found]
    if not measures[0]:
        return {}
    return {
        "n_points": sum(each["n_points"] for each in measures),
        "map_change": max(each["map_change"] for each in measures),
        "has_converged": all(each["has_converged"] for each in measures),
    }


def _relative(spread: Tensor, heat: Tensor) -> float | None:
    size = float(torch.linalg.vector_norm(heat))
    return float(torch.linalg.vector_norm(spread)) / size if size > 0 else None
