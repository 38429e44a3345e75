"""DeepLIFT with the rescale rule (Shrikumar et al., ICML 2017, arXiv:1704.02685)."""

import operator
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import swin_transformer

from xai_core.attribution import Attribution
from xai_core.errors import ModelError
from xai_core.graph import attention
from xai_core.graph.copies import prepared_copy, require_same_scores
from xai_core.graph.interpreter import (
    ACTIVATIONS,
    AFFINE,
    GROUP_NORMS,
    Call,
    Interpreter,
    Values,
    depends_on_image,
    scale,
)
from xai_core.graph.tracing import NormRelu
from xai_core.methods.documented import documented
from xai_core.methods.gradients import Asked, Passed, by_one_pass
from xai_core.methods.relevance import multipliers, window_attention
from xai_core.runtime.run import IsCancelled, Progress, Run
from xai_core.scoring import (
    Baseline,
    Output,
    TargetScore,
    as_baseline,
    describe_baseline,
)


@documented()
def deeplift(
    model: nn.Module,
    image: Tensor,
    *,
    target: int,
    baseline: Baseline = None,
    output: Output | str = Output.LOGIT,
    chunk_size: int | None = None,
    progress: Progress | None = None,
    cancelled: IsCancelled | None = None,
) -> Attribution:
    """Attribute to each input value its share of the score's rise over the baseline's.

    Layer by layer, what a unit differs from its value on the baseline is shared among its inputs
    by what they differ. Nothing is sampled, so the shares add up exactly, through products, layer
    norms and attention too: those are split into sums, products and functions of one value.

    Args:
        baseline: What the image is compared with, in the model's input space: a number, or a
            tensor that broadcasts to the image. None is 0.

    Returns:
        An attribution whose values sum to F(image) - F(baseline), up to rounding.

    Raises:
        InputError: Image, baseline, output or chunk size is not usable.
        ModelError: The model is in train mode, does not return class scores, cannot be traced, or
            calls what the method has no rule for.

    Example:
        >>> shares = deeplift(model, image, target=2)
        >>> abs(shares.values.sum().item() - difference) < 1e-5
        True
    """

    def share(asked: Asked) -> Passed:
        image, start = asked.image, as_baseline(baseline, asked.image)
        score, traced = asked.score(), prepared_copy(asked.model, asked.image)
        with torch.no_grad():
            values0 = Interpreter(traced).values(start)
            scores0 = values0[traced.graph.output_node()]
        end = image.clone().requires_grad_()
        scores = Interpreter(traced, lambda call: _lined(call, values0)).scores(end)
        require_same_scores(score.clean_scores, scores)
        f_image = score_by_secant(score, scores, scores0)
        (slope,) = torch.autograd.grad(f_image, end)
        values = (slope * (image - start))[0]
        return Passed(values, float(f_image.detach()), baseline_score=float(score.of(scores0)))

    return by_one_pass(
        share,
        model,
        image,
        target=target,
        method="deeplift",
        params={"baseline": describe_baseline(baseline)},
        output=output,
        run=Run(chunk_size, progress, cancelled),
    )


def score_by_secant(score: TargetScore, scores: Tensor, scores0: Tensor) -> Tensor:
    """Return F, (N,), of class scores (N, K), with the slopes of its secants from `scores0`."""
    logit, logit0 = scores[:, score.target], scores0[:, score.target]
    if score.output is Output.SOFTMAX:
        return multipliers.softmax(scores, scores0, 1)[:, score.target]
    if score.output is Output.SIGMOID:
        return multipliers.rescaled(torch.sigmoid, logit, logit0)
    if score.output is Output.LOG_ODDS:
        is_other = torch.arange(scores.shape[1], device=scores.device) != score.target
        return logit - multipliers.log_sum_exp(scores[:, is_other], scores0[:, is_other], 1)
    return logit


def _lined(call: Call, values0: Values) -> Any:
    """Return what a call gives on the image, with DeepLIFT's multipliers for its slopes."""
    if depends_on_image(list(call.kwargs.values())):
        raise ModelError(f"DeepLIFT has no rule for {call.name} with inputs by name")
    if not depends_on_image(call.args):
        return call.run()
    if rule := _RULES.get(call.kind):
        return rule(call, values0.at(call.node.args))
    result = call.run()
    if call.kind not in AFFINE and depends_on_image(result):
        raise ModelError(f"DeepLIFT has no rule for {call.name}")
    return result


_Arguments = tuple[Any, ...]


def _pointwise(call: Call, args0: _Arguments) -> Tensor:
    return multipliers.rescaled(call.run, call.args[0], args0[0])


def _norm_and_relu(call: Call, args0: _Arguments) -> Tensor:
    norm = cast(NormRelu, call.layer).norm
    return multipliers.rescaled(F.relu, norm(call.args[0]), norm(args0[0]))


def _product(call: Call, args0: _Arguments) -> Any:
    if len(call.args) < 2 or not all(map(depends_on_image, call.args)):
        return call.run()
    return multipliers.product(call.run, call.args[0], args0[0], call.args[1], args0[1])


def _einsum(call: Call, args0: _Arguments) -> Any:
    equation, *factors = call.args
    if len(factors) > 2 or not all(isinstance(factor, Tensor) for factor in factors):
        raise ModelError(f"DeepLIFT has no rule for {call.name} of other than one or two tensors")
    if len(factors) < 2 or not all(map(depends_on_image, factors)):
        return call.run()
    (a, b), (_, a0, b0) = factors, args0
    return multipliers.product(partial(torch.einsum, equation), a, a0, b, b0)


def _quotient(call: Call, args0: _Arguments) -> Any:
    a, b = call.args[0], call.option(1, "other")
    if not depends_on_image(b):
        return call.run()
    inverse = multipliers.rescaled(torch.reciprocal, b, args0[1])
    if not depends_on_image(a):
        return a * inverse
    return multipliers.product(torch.mul, a, args0[0], inverse, args0[1].reciprocal())


def _softmax(call: Call, args0: _Arguments) -> Tensor:
    return multipliers.softmax(call.args[0], args0[0], call.option(1, "dim"))


def _layer_norm(call: Call, args0: _Arguments) -> Tensor:
    n_dims, eps = len(call.option(1, "normalized_shape")), call.option(4, "eps", 1e-5)
    return scale(call, multipliers.normalised(call.args[0], args0[0], n_dims, eps))


def _group_norm(call: Call, args0: _Arguments) -> Tensor:
    n_groups, eps = call.option(1, "num_groups"), call.option(4, "eps", 1e-5)
    x, x0 = (values.reshape(len(values), n_groups, -1) for values in (call.args[0], args0[0]))
    return scale(call, multipliers.normalised(x, x0, 1, eps).view_as(call.args[0]))


def _attention(call: Call, args0: _Arguments) -> tuple[Tensor, None]:
    layer = attention.attention_layer(call)
    q, k, v = attention.project(layer, *call.args)
    q0, k0, v0 = attention.project(layer, *args0)
    logits, logits0 = _matmul(q, q0, k.mT, k0.mT), q0 @ k0.mT
    weights, weights0 = multipliers.softmax(logits, logits0, -1), logits0.softmax(-1)
    return attention.join_heads(layer, _matmul(weights, weights0, v, v0)), None


def _matmul(a: Tensor, a0: Tensor, b: Tensor, b0: Tensor) -> Tensor:
    return multipliers.product(torch.matmul, a, a0, b, b0)


def _shifted_window_attention(call: Call, args0: _Arguments) -> Any:
    return window_attention.lined(call.run, call.args, args0)


def _max_pooling(call: Call, args0: _Arguments) -> Tensor:
    def pool(x: Tensor) -> tuple[Tensor, Tensor]:
        return F.max_pool2d_with_indices(
            x,
            call.option(1, "kernel_size"),
            call.option(2, "stride"),
            call.option(3, "padding", 0),
            call.option(4, "dilation", 1),
            call.option(5, "ceil_mode", False),
        )

    return multipliers.max_pooled(pool, call.args[0], args0[0])


def _adaptive_max_pooling(call: Call, args0: _Arguments) -> Tensor:
    def pool(x: Tensor) -> tuple[Tensor, Tensor]:
        return F.adaptive_max_pool2d_with_indices(x, call.option(1, "output_size"))

    return multipliers.max_pooled(pool, call.args[0], args0[0])


_RULES: dict[object, Callable[[Call, _Arguments], Any]] = {
    **dict.fromkeys(ACTIVATIONS, _pointwise),
    NormRelu: _norm_and_relu,
    **dict.fromkeys((operator.mul, torch.mul, "mul"), _product),
    torch.einsum: _einsum,
    **dict.fromkeys((operator.matmul, torch.matmul, torch.bmm, "matmul", "bmm"), _product),
    **dict.fromkeys((operator.truediv, torch.div, "div"), _quotient),
    **dict.fromkeys((nn.Softmax, F.softmax, torch.softmax, "softmax"), _softmax),
    **dict.fromkeys((nn.LayerNorm, F.layer_norm), _layer_norm),
    **dict.fromkeys(GROUP_NORMS, _group_norm),
    **dict.fromkeys((nn.AdaptiveMaxPool2d, F.adaptive_max_pool2d), _adaptive_max_pooling),
    nn.MultiheadAttention: _attention,
    swin_transformer.shifted_window_attention: _shifted_window_attention,
    **dict.fromkeys((nn.MaxPool2d, F.max_pool2d, torch.max_pool2d), _max_pooling),
}
