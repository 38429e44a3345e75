"""Integrated Gradients (Sundararajan, Taly & Yan, ICML 2017, arXiv:1703.01365)."""

import time

import torch
from torch import Tensor, nn

from xai_core import device as devices
from xai_core.attribution import Attribution
from xai_core.chunks import Chunk, IsCancelled, Progress, chunks, in_parts
from xai_core.methods.quadrature import Rule, nodes_and_weights
from xai_core.scoring import (
    Baseline,
    TargetScore,
    activation_bytes,
    as_baseline,
    as_image,
    describe_baseline,
    differentiable,
    target_score,
)


def integrated_gradients(
    model: nn.Module,
    image: Tensor,
    *,
    target: int,
    baseline: Baseline = None,
    n_steps: int = 50,
    rule: Rule | str = Rule.GAUSS_LEGENDRE,
    chunk_size: int | None = None,
    progress: Progress | None = None,
    cancelled: IsCancelled | None = None,
) -> Attribution:
    """Attribute the target's score to the pixels along the straight path from the baseline.

    Memory does not grow with `n_steps`: gradients are added up chunk by chunk. Only the input is
    differentiated, so neither the model's parameters nor their gradients are touched, and threads
    may share a model.

    Args:
        model: In eval mode; takes (N, C, H, W) and returns (N, K) class scores.
        image: (1, C, H, W) floating point, as the model takes it.
        target: Class index to explain.
        baseline: Where the path begins, in the model's input space: a number, or a tensor that
            broadcasts to the image. None is 0.
        n_steps: Points on the path.
        rule: How the points are placed and weighted.
        chunk_size: Points passed at once; None takes it from the free memory.
        progress: Called with points done and `n_steps`.
        cancelled: Asked between chunks.

    Returns:
        An attribution whose values sum to F(image) - F(baseline), up to `convergence_delta`.

    Raises:
        InputError: Image, baseline, rule or `n_steps` is not usable.
        TargetError: The target is no class of the model.
        ModelError: The model is in train mode or does not return class scores.
        Cancelled: The caller asked to stop.
        MemoryExhaustedError: One point at a time is too much for the device.
    """
    started = time.perf_counter()
    nodes, weights = nodes_and_weights(rule, n_steps)
    with differentiable():
        image = as_image(image, model)
        start = as_baseline(baseline, image)
        score = target_score(model, image, target)
        size = chunk_size or devices.chunk_size(
            activation_bytes(score, image), image.device, limit=n_steps
        )
        alphas, shares = image.new_tensor(nodes), image.new_tensor(weights)

        def gradient(chunk: Chunk) -> Tensor:
            at = slice(chunk.start, chunk.stop)
            return _path_gradient(score, start, image, alphas[at], shares[at])

        total = torch.zeros_like(image)
        parts = in_parts(chunks(n_steps, size), gradient, progress=progress, cancelled=cancelled)
        for _, part in parts:
            total += part
        with torch.no_grad():
            f_image, f_start = float(score(image)), float(score(start))
        values = (total * (image - start))[0].float().cpu()
    return Attribution(
        values=values,
        target=score.target,
        method="integrated_gradients",
        params={
            "baseline": describe_baseline(baseline),
            "n_steps": n_steps,
            "rule": str(rule),
        },
        seconds=time.perf_counter() - started,
        device=devices.device_name(image.device),
        score=f_image,
        baseline_score=f_start,
        convergence_delta=float(values.double().sum()) - (f_image - f_start),
    )


def _path_gradient(
    score: TargetScore, start: Tensor, end: Tensor, alphas: Tensor, weights: Tensor
) -> Tensor:
    """Return the weighted sum of dF/dx over the points start + alpha (end - start), (1, C, H, W).

    The scores are weighted instead of the gradients, so autograd adds up nothing twice.
    """
    points = (start + alphas.view(-1, 1, 1, 1) * (end - start)).requires_grad_()
    (gradients,) = torch.autograd.grad(score(points), points, weights)
    return gradients.sum(0, keepdim=True)
