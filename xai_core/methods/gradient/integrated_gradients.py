"""Integrated Gradients (Sundararajan, Taly & Yan, ICML 2017, arXiv:1703.01365)."""

import time
from collections.abc import Sequence

from torch import Tensor, nn

from xai_core.attribution import Attribution
from xai_core.errors import InputError
from xai_core.methods.documented import documented
from xai_core.methods.gradient.integral import PathEngine, choose_integrator
from xai_core.methods.gradient.quadrature import Quadrature
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


@documented()
def integrated_gradients(
    model: nn.Module,
    image: Tensor,
    *,
    target: int,
    baseline: Baseline = None,
    n_steps: int = 50,
    rule: Quadrature | str = Quadrature.GAUSS_LEGENDRE,
    tolerance: float = 0.01,
    engine: PathEngine | str | None = None,
    output: Output | str = Output.LOGIT,
    chunk_size: int | None = None,
    progress: Progress | None = None,
    cancelled: IsCancelled | None = None,
) -> Attribution:
    """Attribute the target's score to the pixels along the straight path from the baseline.

    Memory grows neither with `n_steps` nor with the tolerance: what points attribute is added up
    chunk by chunk. Only the input is differentiated, so neither the model's parameters nor their
    gradients are touched, and threads may share a model.

    Args:
        baseline: Where the path begins, in the model's input space: a number, or a tensor that
            broadcasts to the image. None is 0.
        n_steps: Points on the path; for secants the stretches it is cut into, for the adaptive rule
            the most points it may use.
        rule: How the points are placed and weighted: "gausslegendre", "midpoint", "trapezoid",
            "chord" (secants: a third to a half of the points for the same accuracy, and complete
            to rounding, on networks that bend with ReLU and max pooling; see `.secants`), or
            "adaptive" (see `.adaptive`).
        tolerance: The adaptive rule refines until the relative convergence delta and the map's own
            relative change are below this. `measures` say how far it came.
        engine: "model" differentiates the model as it is, and equals Captum to rounding;
            "prepared" differentiates a faster copy (see `xai_core.graph`). Both are as exact, but
            a ReLU within rounding of its kink may fall to either side, and on some models that
            shows in the map's third digit. None is the model, and the copy for secants, which need
            one.

    Returns:
        An attribution whose values sum to F(image) - F(baseline), up to `convergence_delta`.

    Raises:
        InputError: Image, baseline, output, rule, engine, `n_steps` or tolerance is not usable.
        ModelError: The model is in train mode, does not return class scores, cannot be prepared,
            or bends in another way than secants can follow.

    Example:
        >>> shares = integrated_gradients(model, image, target=2, n_steps=200)
        >>> abs(shares.values.sum().item() - difference) < 0.01
        True
    """
    (result,) = integrated_gradients_of(
        model,
        image,
        targets=[target],
        baseline=baseline,
        n_steps=n_steps,
        rule=rule,
        tolerance=tolerance,
        engine=engine,
        output=output,
        chunk_size=chunk_size,
        progress=progress,
        cancelled=cancelled,
    )
    return result


@documented(like=integrated_gradients)
def integrated_gradients_of(
    model: nn.Module,
    image: Tensor,
    *,
    targets: Sequence[int],
    baseline: Baseline = None,
    n_steps: int = 50,
    rule: Quadrature | str = Quadrature.GAUSS_LEGENDRE,
    tolerance: float = 0.01,
    engine: PathEngine | str | None = None,
    output: Output | str = Output.LOGIT,
    chunk_size: int | None = None,
    progress: Progress | None = None,
    cancelled: IsCancelled | None = None,
) -> list[Attribution]:
    """Attribute several targets' scores at once: each point is passed forward for all of them.

    The adaptive rule refines until the map of every target holds still.

    Args:
        targets: Class indices to explain, one or more.

    Returns:
        An attribution for each target, in their order; `seconds` is that of all together.

    Raises:
        InputError: There is no target, or as `integrated_gradients` raises it.

    Example:
        >>> maps = integrated_gradients_of(model, image, targets=[2, 0])
        >>> [(each.target, tuple(each.values.shape)) for each in maps]
        [(2, (1, 8, 8)), (0, (1, 8, 8))]
    """
    started = time.perf_counter()
    if not targets:
        raise InputError("targets is empty; allowed: one class index or more")
    how = choose_integrator(rule=rule, n_steps=n_steps, tolerance=tolerance, engine=engine)
    run = Run(chunk_size, progress, cancelled)
    with differentiable():
        image = as_image(image, model)
        start = as_baseline(baseline, image)
        first = target_score(model, image, targets[0], output)
        scores = [first, *map(first.of_class, targets[1:])]
        found = how.integrate(start, image, scores, run)
    seconds = time.perf_counter() - started
    return [
        Attribution(
            values=values,
            target=score.target,
            method="integrated_gradients",
            params={
                "baseline": describe_baseline(baseline),
                **how.params,
                "output": str(score.output),
            },
            seconds=seconds,
            device=devices.device_name(image.device),
            score=f_image,
            baseline_score=f_start,
            convergence_delta=float(values.double().sum()) - (f_image - f_start),
            measures=found.measures,
            notes=found.notes,
        )
        for score, values, f_image, f_start in zip(
            scores,
            found.values.float().cpu(),
            found.end_scores.tolist(),
            found.start_scores.tolist(),
            strict=True,
        )
    ]
