"""VarGrad (Adebayo et al. 2018, arXiv:1810.03307): a gradient's variance under noise."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from xai_core.attribution import Attribution
from xai_core.methods.documented import documented
from xai_core.methods.gradient.sampling import checked_n_samples
from xai_core.methods.gradient.smooth_grad import explain_under_noise, smooth_grad
from xai_core.runtime.run import IsCancelled, Progress, Run
from xai_core.scoring import Output


@documented(like=smooth_grad)
def var_grad(
    model: nn.Module,
    image: Tensor,
    *,
    target: int,
    of: str = "saliency",
    options: Mapping[str, Any] | None = None,
    n_samples: int = 25,
    noise_level: float = 0.15,
    seed: int = 0,
    output: Output | str = Output.LOGIT,
    chunk_size: int | None = None,
    progress: Progress | None = None,
    cancelled: IsCancelled | None = None,
) -> Attribution:
    """Attribute to each input value how much a gradient method's answer varies on noisy images.

    Args:
        n_samples: Noisy images, 2 or more.

    Returns:
        An attribution without sign: variances, in squares of the method's units.

    Example:
        >>> variances = var_grad(model, image, target=2, n_samples=10)
        >>> bool((variances.values >= 0).all())
        True
    """
    checked_n_samples(n_samples, fewest=2)
    return explain_under_noise(
        model,
        image,
        target=target,
        method="var_grad",
        of=of,
        options=options or {},
        n_samples=n_samples,
        noise_level=noise_level,
        seed=seed,
        output=output,
        run=Run(chunk_size, progress, cancelled),
    )
