"""Layer-wise Relevance Propagation (Bach et al., PLoS ONE 2015, doi:10.1371/journal.pone.0130140).

Rules follow Montavon et al., *Layer-Wise Relevance Propagation: An Overview*, 2019,
doi:10.1007/978-3-030-28954-6_10.
"""

from enum import StrEnum

import torch
from torch import Tensor, nn

from xai_core.attribution import Attribution
from xai_core.errors import InputError, ModelError
from xai_core.graph.copies import prepared_copy, require_same_scores
from xai_core.graph.interpreter import Interpreter
from xai_core.methods.documented import documented
from xai_core.methods.gradients import Asked, Passed, by_one_pass
from xai_core.methods.relevance.lrp_rules import PixelBox, RelevanceRules, first_layer
from xai_core.methods.relevance.relevance import STABILISER
from xai_core.runtime.run import IsCancelled, Progress, Run
from xai_core.scoring import Baseline, Output, TargetScore, choice, describe_baseline


class Convolutions(StrEnum):
    """What of a convolution's terms relevance is shared by."""

    POSITIVE = "positive"
    FAVOURED = "favoured"


@documented()
def lrp(
    model: nn.Module,
    image: Tensor,
    *,
    target: int,
    convolutions: Convolutions | str = Convolutions.POSITIVE,
    gamma: float = 0.25,
    epsilon: float = STABILISER,
    box: tuple[Baseline, Baseline] | None = None,
    output: Output | str = Output.LOGIT,
    chunk_size: int | None = None,
    progress: Progress | None = None,
    cancelled: IsCancelled | None = None,
) -> Attribution:
    """Attribute to each input value what reaches it of the score, handed back layer by layer.

    Linear layers, sums and averages share by their terms (epsilon rule), convolutions by their
    positive terms, the first layer evenly. Activations and norms that cannot be folded hand on
    all, max pooling to the largest; gates, attention weights and layer norms' scales count as
    fixed. What biases bring stays with them.

    Args:
        convolutions: "positive" (z+ rule) or "favoured" (gamma rule: the terms of the sum's own
            sign count more).
        gamma: How much more, 0 or more; the positive rule does not use it.
        epsilon: Added to the sums of linear layers, of which it takes its share, above 0.
        box: The least and the greatest value that a pixel can have, in the model's input space;
            the first layer then shares by the z-box rule.
        output: What of the target's scores is explained; see `xai_core.scoring.Output`. Relevance
            begins as the scores times their slopes: of the logit, as the logit.

    Returns:
        An attribution in units of score. `measures` holds `relevance`, that began, and
        `share_arrived`, which of it reached the image.

    Raises:
        InputError: Image, box, output or an option is not usable.
        ModelError: The model is in train mode, does not return class scores, cannot be traced, or
            relevance reaches a call that has no rule.

    Example:
        >>> shares = lrp(model, image, target=2)
        >>> arrived = shares.measures["share_arrived"] * shares.measures["relevance"]
        >>> abs(shares.values.sum().item() - arrived) < 1e-5
        True
    """
    convolutions = choice(Convolutions, convolutions, "convolutions")
    if not gamma >= 0 or not epsilon > 0:
        raise InputError(f"gamma is {gamma}, epsilon {epsilon}; allowed: 0 or more, and above 0")

    def hand_back(asked: Asked) -> Passed:
        bounds = None if box is None else PixelBox.of(asked.image, *box)
        score, traced = asked.score(), prepared_copy(asked.model, asked.image)
        shared = gamma if convolutions is Convolutions.FAVOURED else None
        rules = RelevanceRules(first_layer(traced), shared, epsilon, bounds)
        points = asked.image.clone().requires_grad_()
        scores = Interpreter(traced, rules).scores(points)
        require_same_scores(score.clean_scores, scores)
        return _handed_back(score, scores, points)

    return by_one_pass(
        hand_back,
        model,
        image,
        target=target,
        method="lrp",
        params={
            "convolutions": str(convolutions),
            "gamma": float(gamma),
            "epsilon": float(epsilon),
            "box": None if box is None else [describe_baseline(bound) for bound in box],
        },
        output=output,
        run=Run(chunk_size, progress, cancelled),
    )


def _handed_back(score: TargetScore, scores: Tensor, image: Tensor) -> Passed:
    if not scores.requires_grad:
        raise ModelError("no relevance can reach the image; allowed: a model that returns logits")
    leaf = scores.detach().requires_grad_()
    f_image = score.of(leaf)
    (slopes,) = torch.autograd.grad(f_image, leaf)
    start = leaf.detach() * slopes
    (values,) = torch.autograd.grad(scores, image, start)
    begun, arrived = float(start.sum()), float(values.double().sum())
    measures = {"relevance": begun, "share_arrived": arrived / begun if begun else None}
    return Passed(values[0], float(f_image.detach()), measures=measures)
