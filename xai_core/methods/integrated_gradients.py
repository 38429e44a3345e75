"""Integrated Gradients (Sundararajan, Taly & Yan, ICML 2017, arXiv:1703.01365)."""

import time
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import torch
from torch import Tensor, nn

from xai_core import device as devices
from xai_core.attribution import Attribution
from xai_core.chunks import IsCancelled, Progress, chunks, in_parts
from xai_core.methods.adaptive import refined
from xai_core.methods.path import Path
from xai_core.methods.quadrature import Rule, nodes_and_weights
from xai_core.scoring import (
    Baseline,
    Output,
    as_baseline,
    as_image,
    choice,
    describe_baseline,
    differentiable,
    target_score,
)


class Engine(StrEnum):
    """What is differentiated."""

    MODEL = "model"
    PREPARED = "prepared"


def integrated_gradients(
    model: nn.Module,
    image: Tensor,
    *,
    target: int,
    baseline: Baseline = None,
    n_steps: int = 50,
    rule: Rule | str = Rule.GAUSS_LEGENDRE,
    tolerance: float = 0.01,
    engine: Engine | str = Engine.MODEL,
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
        model: In eval mode; takes (N, C, H, W) and returns (N, K) class scores.
        image: (1, C, H, W) floating point, as the model takes it.
        target: Class index to explain.
        baseline: Where the path begins, in the model's input space: a number, or a tensor that
            broadcasts to the image. None is 0.
        n_steps: Points on the path; for the adaptive rule, the most it may use.
        rule: How the points are placed and weighted: "gausslegendre", "midpoint", "trapezoid", or
            "adaptive" (see `xai_core.methods.adaptive`).
        tolerance: The adaptive rule refines until the relative convergence delta and the map's own
            relative change are below this. `measures` say how far it came.
        engine: "model" differentiates the model as it is, and equals Captum to rounding;
            "prepared" differentiates a faster copy (see `xai_core.graph`). Both are as exact, but
            a ReLU within rounding of its kink may fall to either side, and on some models that
            shows in the map's third digit.
        output: What of the target's scores is explained; see `xai_core.scoring.Output`.
        chunk_size: Points passed at once; None takes it from the free memory.
        progress: Called with points done and `n_steps`.
        cancelled: Asked between chunks.

    Returns:
        An attribution whose values sum to F(image) - F(baseline), up to `convergence_delta`.

    Raises:
        InputError: Image, baseline, output, rule, `n_steps` or tolerance is not usable.
        TargetError: The target is no class of the model.
        ModelError: The model is in train mode, does not return class scores, or cannot be
            prepared.
        Cancelled: The caller asked to stop.
        MemoryExhaustedError: One point at a time is too much for the device.
    """
    started = time.perf_counter()
    rule, engine = choice(Rule, rule, "rule"), choice(Engine, engine, "engine")
    with differentiable():
        image = as_image(image, model)
        start = as_baseline(baseline, image)
        score = target_score(model, image, target, output)
        lay = Path.prepared if engine is Engine.PREPARED else Path.between
        path = lay(start, image, score)
        size = path.chunk_size(n_steps) if chunk_size is None else chunk_size
        run = _Run(path, n_steps, size, progress, cancelled)
        if rule is Rule.ADAPTIVE:
            values, measures, notes = _adaptive(run, tolerance)
        else:
            values, measures, notes = _fixed(run, rule), {}, ()
        with torch.no_grad():
            f_image, f_start = float(score(image)), float(score(start))
    values = values.float().cpu()
    return Attribution(
        values=values,
        target=score.target,
        method="integrated_gradients",
        params={
            "baseline": describe_baseline(baseline),
            "n_steps": n_steps,
            "rule": str(rule),
            "engine": str(engine),
            "output": str(score.output),
            **({"tolerance": tolerance} if rule is Rule.ADAPTIVE else {}),
        },
        seconds=time.perf_counter() - started,
        device=devices.device_name(image.device),
        score=f_image,
        baseline_score=f_start,
        convergence_delta=float(values.double().sum()) - (f_image - f_start),
        measures=measures,
        notes=notes,
    )


@dataclass(frozen=True)
class _Run:
    """A path, and how to walk it."""

    path: Path
    n_steps: int
    chunk_size: int
    progress: Progress | None
    cancelled: IsCancelled | None


def _fixed(run: _Run, rule: Rule) -> Tensor:
    """Return the integral by a fixed rule, (C, H, W)."""
    image = run.path.ends[0]
    alphas, weights = map(image.new_tensor, nodes_and_weights(rule, run.n_steps))
    total = torch.zeros_like(image)
    parts = in_parts(
        chunks(run.n_steps, run.chunk_size),
        lambda at: run.path.attributed(alphas[at.start : at.stop], weights[at.start : at.stop]),
        progress=run.progress,
        cancelled=run.cancelled,
    )
    for _, part in parts:
        total += part
    return total


def _adaptive(run: _Run, tolerance: float) -> tuple[Tensor, dict[str, Any], tuple[str, ...]]:
    """Return the integral by refinement, (C, H, W), how far it came, and what to say of that."""
    result = refined(
        run.path,
        tolerance=tolerance,
        budget=run.n_steps,
        chunk_size=run.chunk_size,
        progress=run.progress,
        cancelled=run.cancelled,
    )
    measures = {
        "n_points": result.n_points,
        "map_change": result.change,
        "has_converged": result.has_converged,
    }
    if result.has_converged:
        return result.values, measures, ()
    note = (
        f"Not converged to {tolerance:.2%} within {run.n_steps} points: "
        f"the last refinement still moved the map by {result.change:.2%}."
    )
    return result.values, measures, (note,)
