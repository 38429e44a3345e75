"""Guided Backpropagation (Springenberg et al., ICLR 2015 workshop, arXiv:1412.6806)."""

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from xai_core.attribution import Attribution
from xai_core.errors import ModelError
from xai_core.graph.copies import prepared_copy, require_same_scores
from xai_core.graph.interpreter import (
    ACTIVATIONS,
    Call,
    Interpreter,
    Rules,
    by_kind,
    calls_of,
)
from xai_core.graph.tracing import NormRelu
from xai_core.methods.documented import documented
from xai_core.methods.gradients import Asked, Passed, by_one_pass
from xai_core.runtime.run import IsCancelled, Progress, Run
from xai_core.scoring import Output


@documented()
def guided_backprop(
    model: nn.Module,
    image: Tensor,
    *,
    target: int,
    output: Output | str = Output.LOGIT,
    chunk_size: int | None = None,
    progress: Progress | None = None,
    cancelled: IsCancelled | None = None,
) -> Attribution:
    """Attribute to each input value a slope from which what lowers the score is left out.

    On the way back, every ReLU (also ReLU6) stops what is negative. The map looks sharp on any
    image, for it depends on the weights and the target little (Adebayo et al., NeurIPS 2018).

    Returns:
        An attribution in units of score per unit of input; `measures["n_rectifiers"]` says how
        many ReLUs were replaced, and a note how many other activations kept their own slope.

    Raises:
        ModelError: The model is in train mode, does not return class scores, cannot be traced, or
            has no ReLU.

    Example:
        >>> slopes = guided_backprop(model, image, target=2)
        >>> slopes.values.shape, slopes.measures["n_rectifiers"]
        (torch.Size([1, 8, 8]), 1)
    """

    def guided_slope(asked: Asked) -> Passed:
        score, traced = asked.score(), prepared_copy(asked.model, asked.image)
        kinds = [call.kind for call in calls_of(traced)]
        n_rectifiers = sum(kind in _RULES for kind in kinds)
        if not n_rectifiers:
            raise ModelError("guided backpropagation needs a ReLU; the model has none")
        n_others = sum(kind in ACTIVATIONS for kind in kinds if kind not in _RULES)
        note = f"Activations that are no ReLU, and pass on their own slope: {n_others}."
        point = asked.image.clone().requires_grad_()
        scores = Interpreter(traced, by_kind(_RULES)).scores(point)
        require_same_scores(score.clean_scores, scores)
        f_image = score.of(scores)
        (slope,) = torch.autograd.grad(f_image, point)
        return Passed(
            slope[0],
            float(f_image.detach()),
            measures={"n_rectifiers": n_rectifiers},
            notes=(note,) if n_others else (),
        )

    return by_one_pass(
        guided_slope,
        model,
        image,
        target=target,
        method="guided_backprop",
        params={},
        output=output,
        run=Run(chunk_size, progress, cancelled),
    )


class _Guided(torch.autograd.Function):
    """A rectifier that passes back only what is positive, where its own slope is."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, upper: float) -> Tensor:
        """Return x cut to [0, upper]."""
        y = x.clamp(0, upper)
        ctx.save_for_backward((x > 0) & (x < upper))
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        """Return the positive part of the gradient, where x is between the bounds."""
        (is_open,) = ctx.saved_tensors
        return gradients[0].clamp_min(0) * is_open, None


def _rectified(x: Tensor, upper: float = float("inf")) -> Tensor:
    guided: Tensor = _Guided.apply(x, upper)
    return guided


def _norm_and_relu(call: Call) -> Tensor:
    return _rectified(cast(NormRelu, call.layer).norm(call.args[0]))


_RULES: Rules = {
    **dict.fromkeys((nn.ReLU, F.relu, torch.relu, "relu"), lambda call: _rectified(call.args[0])),
    **dict.fromkeys((nn.ReLU6, F.relu6), lambda call: _rectified(call.args[0], 6.0)),
    NormRelu: _norm_and_relu,
}
