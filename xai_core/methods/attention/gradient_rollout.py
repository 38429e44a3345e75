"""Rollout of attention times its gradient (Chefer et al., ICCV 2021, arXiv:2103.15679, sec. 3)."""

import torch
from torch import Tensor, nn

from xai_core.attribution import Attribution
from xai_core.graph.attention import attend, identity_like
from xai_core.methods.documented import documented
from xai_core.methods.gradients import Asked, Passed, by_one_pass
from xai_core.methods.places import drawn
from xai_core.runtime.run import IsCancelled, Progress, Run
from xai_core.scoring import Output

_NOTE = "Nothing that speaks against the class is in it."


@documented()
def gradient_rollout(
    model: nn.Module,
    image: Tensor,
    *,
    target: int,
    output: Output | str = Output.LOGIT,
    chunk_size: int | None = None,
    progress: Progress | None = None,
    cancelled: IsCancelled | None = None,
) -> Attribution:
    """Attribute to each patch what the class token draws from it, where that raises the score.

    Each head's attention is multiplied by its slope, and what is negative is left out; the heads'
    mean is handed through the layers on top of what they hand on.

    Args:
        model: Torchvision's VisionTransformer in eval mode.

    Returns:
        An attribution of one channel, drawn bilinearly from the patches, none of them negative,
        in units of score, which only compare with each other.

    Raises:
        ModelError: The model is in train mode, cannot be traced, or is another.

    Example:
        >>> from torchvision.models import VisionTransformer
        >>> sizes = {"image_size": 8, "patch_size": 4, "num_layers": 2, "num_heads": 2}
        >>> vit = VisionTransformer(**sizes, hidden_dim=8, mlp_dim=8, num_classes=3).eval()
        >>> shares = gradient_rollout(vit, image.expand(1, 3, 8, 8), target=2)
        >>> shares.values.shape
        torch.Size([1, 8, 8])
    """

    def rollout(asked: Asked) -> Passed:
        attended = attend(asked.score(), asked.image)
        slopes = torch.autograd.grad(attended.score, attended.layers)
        relevance = identity_like(slopes[0][:, 0])
        for weights, slope in zip(attended.layers, slopes, strict=True):
            relevance = relevance + (weights.detach() * slope).clamp_min(0).mean(1) @ relevance
        heat, measures, note = drawn(attended.patches(relevance), asked.image)
        f_image = float(attended.score.detach())
        return Passed(heat, f_image, measures=measures, notes=(note, _NOTE))

    return by_one_pass(
        rollout,
        model,
        image,
        target=target,
        method="gradient_rollout",
        params={},
        output=output,
        run=Run(chunk_size, progress, cancelled),
    )
