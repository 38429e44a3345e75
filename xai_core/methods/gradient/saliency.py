"""The gradient at the image, bare (arXiv:1312.6034) and times the image (arXiv:1605.01713)."""

from dataclasses import replace

from torch import Tensor, nn

from xai_core.attribution import Attribution
from xai_core.methods.gradients import Asked, Passed, by_one_pass
from xai_core.runtime.chunks import IsCancelled, Progress
from xai_core.scoring import Output


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
        model: In eval mode; takes (N, C, H, W) and returns (N, K) class scores.
        image: (1, C, H, W) floating point, as the model takes it.
        target: Class index to explain.
        absolute: Give the size of the slope without its sign, as Simonyan et al. draw it.
        output: What of the target's scores is explained; see `xai_core.scoring.Output`.
        chunk_size: 1 or more; only one image is passed.
        progress: Called with passes done and their number, 1.
        cancelled: Asked before the pass.

    Returns:
        An attribution in units of score per unit of input.

    Raises:
        InputError: Image, output or chunk size is not usable.
        TargetError: The target is no class of the model.
        ModelError: The model is in train mode, or does not return class scores.
        Cancelled: The caller asked to stop.
        MemoryExhaustedError: One image is too much for the device.

    Example:
        >>> slopes = saliency(model, image, target=2)
        >>> sizes = saliency(model, image, target=2, absolute=True)
        >>> torch.equal(sizes.values, slopes.values.abs())
        True
    """

    def slope(asked: Asked) -> Passed:
        found = asked.slope()
        return replace(found, values=found.values.abs()) if absolute else found

    return by_one_pass(
        slope,
        model,
        image,
        target=target,
        method="saliency",
        params={"absolute": absolute},
        output=output,
        chunk_size=chunk_size,
        progress=progress,
        cancelled=cancelled,
    )


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

    Arguments and errors are those of `saliency`.

    Returns:
        An attribution in units of the target's score. Where the model has no biases, and bends
        only in ReLU and max pooling, it sums to the logit.

    Example:
        >>> slopes = saliency(model, image, target=2)
        >>> shares = input_x_gradient(model, image, target=2)
        >>> torch.equal(shares.values, slopes.values * image[0])
        True
    """

    def rise(asked: Asked) -> Passed:
        found = asked.slope()
        return replace(found, values=found.values * asked.image[0])

    return by_one_pass(
        rise,
        model,
        image,
        target=target,
        method="input_x_gradient",
        params={},
        output=output,
        chunk_size=chunk_size,
        progress=progress,
        cancelled=cancelled,
    )
