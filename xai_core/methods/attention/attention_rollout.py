"""Attention Rollout (Abnar & Zuidema, ACL 2020, arXiv:2005.00928, section 3)."""

from torch import Tensor, nn

from xai_core.attribution import Attribution
from xai_core.graph.attention import attend, identity_like
from xai_core.methods.documented import documented
from xai_core.methods.gradients import Asked, Passed, by_one_pass
from xai_core.methods.places import drawn
from xai_core.runtime.run import IsCancelled, Progress, Run
from xai_core.scoring import Output

_NOTE = "The same for every class: where the network looked, not what it made of it."


@documented()
def attention_rollout(
    model: nn.Module,
    image: Tensor,
    *,
    target: int,
    output: Output | str = Output.LOGIT,
    chunk_size: int | None = None,
    progress: Progress | None = None,
    cancelled: IsCancelled | None = None,
) -> Attribution:
    """Attribute to each patch its share of what the class token draws from, through all layers.

    A layer hands a token on by half, and mixes the other half as its heads attend on average.

    Args:
        model: Torchvision's VisionTransformer in eval mode.
        target: Class index; it is checked, and changes nothing in the map.
        output: What of the target's scores is recorded; see `xai_core.scoring.Output`.

    Returns:
        An attribution of one channel, drawn bilinearly from the patches' shares, none of them
        negative; with the class token's own, `measures["class_token_share"]`, they sum to 1.

    Raises:
        ModelError: The model is in train mode, cannot be traced, or is another.

    Example:
        >>> from torchvision.models import VisionTransformer
        >>> sizes = {"image_size": 8, "patch_size": 4, "num_layers": 2, "num_heads": 2}
        >>> vit = VisionTransformer(**sizes, hidden_dim=8, mlp_dim=8, num_classes=3).eval()
        >>> shares = attention_rollout(vit, image.expand(1, 3, 8, 8), target=2)
        >>> shares.values.shape, bool((shares.values >= 0).all())
        (torch.Size([1, 8, 8]), True)
    """

    def rollout(asked: Asked) -> Passed:
        attended = attend(asked.score(), asked.image)
        mixing = itself = identity_like(attended.layers[0][:, 0])
        for weights in attended.layers:
            mixing = (weights.detach().mean(1) + itself) / 2 @ mixing
        heat, measures, note = drawn(attended.patches(mixing), asked.image)
        measures["class_token_share"] = float(mixing[0, 0, 0])
        f_image = float(attended.score.detach())
        return Passed(heat, f_image, measures=measures, notes=(note, _NOTE))

    return by_one_pass(
        rollout,
        model,
        image,
        target=target,
        method="attention_rollout",
        params={},
        output=output,
        run=Run(chunk_size, progress, cancelled),
    )
