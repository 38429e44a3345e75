"""The gradient at the image, bare (arXiv:1312.6034) and times the image (arXiv:1605.01713).

Captum computes both, on the one pass by which the model is checked (docs/adr/0025).
"""

from captum.attr import InputXGradient, Saliency
from torch import Tensor, nn

from xai_core.attribution import Attribution
from xai_core.methods.documented import documented
from xai_core.methods.gradients import by_one_pass
from xai_core.runtime.run import IsCancelled, Progress, Run
from xai_core.scoring import Output


@documented()
def saliency(
    model: nn.Module,
    image: Tensor,
    *,
    target: int,
    absolute: bool = False,
    output: Output | str = Output.LOGIT,
    chunk_size: int | None = None,
    progress: Progress | None = None,
    cancelled: IsCancelled | None = None,
) -> Attribution:
    """Attribute to each input value the slope of the target's score there.

    Args:
        absolute: Give the size of the slope without its sign, as Simonyan et al. draw it.

    Returns:
        An attribution in units of score per unit of input.

    Example:
        >>> slopes = saliency(model, image, target=2)
        >>> sizes = saliency(model, image, target=2, absolute=True)
        >>> torch.equal(sizes.values, slopes.values.abs())
        True
    """
    return by_one_pass(
        lambda asked: asked.attributed(lambda f, x: Saliency(f).attribute(x, abs=absolute)),
        model,
        image,
        target=target,
        method="saliency",
        params={"absolute": absolute},
        output=output,
        run=Run(chunk_size, progress, cancelled),
    )


@documented()
def input_x_gradient(
    model: nn.Module,
    image: Tensor,
    *,
    target: int,
    output: Output | str = Output.LOGIT,
    chunk_size: int | None = None,
    progress: Progress | None = None,
    cancelled: IsCancelled | None = None,
) -> Attribution:
    """Attribute to each input value how far the score would fall on the slope from it to zero.

    Returns:
        An attribution in units of the target's score. Where the model has no biases, and bends
        only in ReLU and max pooling, it sums to the logit.

    Example:
        >>> slopes = saliency(model, image, target=2)
        >>> shares = input_x_gradient(model, image, target=2)
        >>> torch.equal(shares.values, slopes.values * image[0])
        True
    """
    return by_one_pass(
        lambda asked: asked.attributed(lambda f, x: InputXGradient(f).attribute(x)),
        model,
        image,
        target=target,
        method="input_x_gradient",
        params={},
        output=output,
        run=Run(chunk_size, progress, cancelled),
    )
