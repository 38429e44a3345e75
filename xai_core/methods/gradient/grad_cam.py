"""Grad-CAM (Selvaraju et al., ICCV 2017, arXiv:1610.02391, section 3)."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from xai_core.attribution import Attribution
from xai_core.errors import InputError, ModelError
from xai_core.methods.documented import documented
from xai_core.methods.gradients import Asked, Passed, by_one_pass
from xai_core.methods.places import begin_at, drawn, frozen_copy, last_layers, over_places
from xai_core.runtime.run import IsCancelled, Progress, Run
from xai_core.scoring import Output, checked_pass


@documented()
def grad_cam(
    model: nn.Module,
    image: Tensor,
    *,
    target: int,
    layer: str | None = None,
    rectify: bool = False,
    output: Output | str = Output.LOGIT,
    chunk_size: int | None = None,
    progress: Progress | None = None,
    cancelled: IsCancelled | None = None,
) -> Attribution:
    """Attribute to each place of a layer the sum of its features, each weighted by its mean slope.

    Args:
        layer: A name from `model.named_modules()` whose output has places: (1, C, h, w), tokens of
            torchvision's ViT, or (1, h, w, C) in its Swin. None takes the last layer that has
            places and through which all of the image passes; of a ViT, what its last attention
            takes.
        rectify: Leave out what speaks against the class, as the paper does.

    Returns:
        An attribution of one channel, drawn bilinearly from the layer's cells, in units of score.
        `params["layer"]` names the layer; `measures` holds `cells`, rows and columns, and
        `cell_px`, the height and width of one.

    Raises:
        InputError: Image, layer, output or chunk size is not usable.
        ModelError: The model is in train mode, does not return class scores, cannot be copied,
            or has no such layer with places.

    Example:
        >>> cells = grad_cam(model, image, target=2)
        >>> cells.params["layer"], cells.measures["cells"], cells.values.shape
        ('1', [6, 6], torch.Size([1, 8, 8]))
    """
    used: list[str] = []

    def cam(asked: Asked) -> Passed:
        found = _at(asked, layer) if layer else _at_last(asked)
        used[:] = [found.name]
        weights = found.slopes.mean((2, 3), keepdim=True)
        cells = (weights * found.values).sum(1, keepdim=True)
        if rectify:
            cells = cells.clamp_min(0)
        heat, measures, note = drawn(cells, asked.image)
        return Passed(heat, found.score, measures=measures, notes=(note,))

    result = by_one_pass(
        cam,
        model,
        image,
        target=target,
        method="grad_cam",
        params={"rectify": rectify},
        output=output,
        run=Run(chunk_size, progress, cancelled),
    )
    return replace(result, params={"layer": used[0], **result.params})


@dataclass(frozen=True)
class _Layer:
    """A layer, F, and F's slopes there.

    Attributes:
        name: The layer's.
        score: F(image).
        values: The layer's features, (1, C, h, w).
        slopes: Of F over the features, (1, C, h, w).
        is_passed_by: F depends on the image by other ways too.
    """

    name: str
    score: float
    values: Tensor
    slopes: Tensor
    is_passed_by: bool


def _at(asked: Asked, name: str) -> _Layer:
    leaves: list[Tensor] = []
    copied = frozen_copy(asked.model)
    begin_at(copied, name, leaves)
    image = asked.image.detach().requires_grad_()
    score, f_image = checked_pass(copied, image, asked.target, asked.output)
    if len(leaves) != 1:
        raise InputError(f"layer {name} is called {len(leaves)} times; allowed: once")
    if not f_image.requires_grad:
        raise ModelError(f"the score does not depend on layer {name}")
    (leaf,) = leaves
    slope, elsewhere = torch.autograd.grad(f_image, (leaf, image), allow_unused=True)
    slope = torch.zeros_like(leaf) if slope is None else slope
    values = over_places(asked.model, name, leaf.detach(), image)
    slopes = over_places(asked.model, name, slope, image)
    if values is None or slopes is None:
        raise ModelError(
            f"layer {name} gives {tuple(leaf.shape)}, in which the places of an image of "
            f"{tuple(image.shape[2:])} pixels cannot be found; allowed: (1, C, h, w), "
            "tokens of torchvision's ViT, or (1, h, w, C) of its Swin"
        )
    return _Layer(name, score.clean_score, values, slopes, elsewhere is not None)


def _at_last(asked: Asked) -> _Layer:
    """Return the last layer through which all of the image passes; of a ViT, the last attention."""
    with torch.no_grad():
        names = last_layers(asked.model, asked.image)
    found = (_at(asked, name) for name in names)
    whole = next((each for each in found if not each.is_passed_by), None)
    return whole or _at(asked, names[0])
