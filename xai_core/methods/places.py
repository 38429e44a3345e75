"""What a layer gave, laid out over the places of the image.

That an output has places is checked, never guessed from its number of values: a grid must follow
from the image's size, and tokens from the patches that the model cuts.
"""

import copy
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from torch import Size, Tensor, nn
from torch.nn import functional as F
from torchvision.models import SwinTransformer, VisionTransformer
from torchvision.ops import Permute

from xai_core.errors import InputError, ModelError

_SPATIAL = (nn.Conv2d, nn.BatchNorm2d, nn.MaxPool2d, nn.AvgPool2d)  # (N, C, H, W) always
_TO_CHANNELS_FIRST = [0, 3, 1, 2]
_LARGEST_SKEW = 1.25  # between strides down and across: by edges, where the image is not square


def frozen_copy(model: nn.Module, *, device: str | None = None) -> nn.Module:
    """Return a frozen copy that may carry hooks; its weights are the model's own.

    Args:
        model: Is left as it is.
        device: Where the copy's weights shall lie instead; "meta" knows shapes alone.

    Raises:
        ModelError: The model cannot be copied.
    """
    shared: dict[int, Tensor] = {id(each): each.to(device=device) for each in model.buffers()}
    for weight in model.parameters():
        values = weight.detach().to(device=device)
        shared[id(weight)] = nn.Parameter(values, requires_grad=False)
    try:
        return copy.deepcopy(model, shared)
    # Copying runs the model's own code, which may fail in any way.
    except Exception as exc:
        raise ModelError(f"the model cannot be copied: {exc}") from exc


def begin_at(copied: nn.Module, name: str, leaves: list[Tensor]) -> None:
    """Let a copy's score depend, from a layer on, on a leaf with the layer's values.

    Args:
        copied: A frozen copy.
        name: The layer's.
        leaves: Gets a leaf at each call of the layer.

    Raises:
        InputError: The model has no layer of that name.
    """
    layers = dict(copied.named_modules())
    if not name or name not in layers:
        raise InputError(f"layer is {name!r}; allowed: a name from model.named_modules()")

    def cut(_layer: nn.Module, _inputs: Any, output: Any) -> Tensor:
        if not isinstance(output, Tensor):
            raise ModelError(f"layer {name} gives a {type(output).__name__}; allowed: a tensor")
        leaves.append(leaf := output.detach().clone().requires_grad_())
        return leaf.clone()  # into which the model may write

    layers[name].register_forward_hook(cut)


def last_layers(model: nn.Module, image: Tensor) -> list[str]:
    """Return the layers that are called once and have places, from the last to the first.

    Args:
        model: A copy of it is passed; on the CPU by shapes alone, unless it asks for values.
        image: (1, C, H, W).

    Raises:
        ModelError: The model cannot be copied, or no layer has places.
    """
    if isinstance(model, VisionTransformer):
        # Behind the last attention only the class token is read.
        return [f"encoder.layers.{[*dict(model.encoder.layers.named_children())][-1]}.ln_1"]
    n_calls, placed = _outputs(model, image)
    if not (found := [name for name in reversed(placed) if n_calls[name] == 1]):
        raise ModelError("no layer's output has places; allowed: a model with a map to explain")
    return found


def _outputs(model: nn.Module, image: Tensor) -> tuple[Mapping[str, int], list[str]]:
    if image.device.type == "cpu":  # a GPU passes an image sooner than shapes are worked out
        # What a model does with values may fail in any way without them.
        with suppress(Exception):
            return _outputs_of(model, frozen_copy(model, device="meta"), image.to("meta"))
    return _outputs_of(model, frozen_copy(model), image)


def _outputs_of(
    model: nn.Module, copied: nn.Module, image: Tensor
) -> tuple[Mapping[str, int], list[str]]:
    """Return how often each layer of a copy is called, and those with places in their order."""
    called: list[str] = []
    placed: list[str] = []

    def keeper(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def keep(_layer: nn.Module, _inputs: Any, output: Any) -> None:
            called.append(name)
            grid = over_places(model, name, output, image) if isinstance(output, Tensor) else None
            if grid is not None:
                placed.append(name)

        return keep

    for name, layer in copied.named_modules():
        # Adaptive pooling resamples a finer map.
        if name and not isinstance(layer, nn.AdaptiveAvgPool2d):
            layer.register_forward_hook(keeper(name))
    copied(image.clone())
    return Counter(called), placed


def over_places(model: nn.Module, name: str, values: Tensor, image: Tensor) -> Tensor | None:
    """Return a layer's values, or their slopes, as (1, C, h, w), or None without several places.

    Args:
        model: Torchvision's ViT and Swin are known by their type.
        name: The layer's.
        values: (1, C, h, w), or in ViT (1, tokens, C), or in Swin (1, h, w, C).
        image: (1, C, H, W).
    """
    grid = _laid_out(model, name, values, image)
    return None if grid is None or grid.shape[2:].numel() == 1 else grid


def _laid_out(model: nn.Module, name: str, values: Tensor, image: Tensor) -> Tensor | None:
    if isinstance(model, VisionTransformer) and values.dim() == 3:
        return _patches(model, values, image)
    if values.dim() != 4 or len(values) != 1:
        return None
    layer = model.get_submodule(name)
    permuted = layer.dims if isinstance(layer, Permute) else None
    if isinstance(layer, _SPATIAL) or permuted == _TO_CHANNELS_FIRST:
        return values
    if isinstance(model, SwinTransformer):
        return values.permute(0, 3, 1, 2) if _is_grid(values.shape[1:3], image) else None
    # These have the channels last, and elsewhere it is not known what the others are.
    if permuted or type(layer) in {nn.LayerNorm, nn.Linear}:
        return None
    return values if _is_grid(values.shape[2:], image) else None


def drawn(cells: Tensor, image: Tensor) -> tuple[Tensor, dict[str, Any], str]:
    """Return a map of cells, (1, 1, h, w), over the pixels of an image, (1, H, W).

    With it come the measures `cells`, rows and columns, and `cell_px`, the height and width of
    one, and a note of the same in words.
    """
    sides, (rows, columns) = image.shape[2:], cells.shape[2:]
    heat = F.interpolate(cells, size=sides, mode="bilinear", align_corners=False)[0]
    height, width = sides[0] / rows, sides[1] / columns
    note = f"{rows} × {columns} cells of {height:.0f} × {width:.0f} pixels, drawn smoothly."
    return heat, {"cells": [rows, columns], "cell_px": [height, width]}, note


def _patches(model: VisionTransformer, tokens: Tensor, image: Tensor) -> Tensor | None:
    """Return the patches' tokens, (1, C, h, w), without the class token, which comes first."""
    h, w = (side // model.patch_size for side in image.shape[2:])
    if tokens.shape[1] != h * w + 1:
        return None
    return tokens[:, 1:].transpose(1, 2).reshape(1, -1, h, w)


def _is_grid(sides: Size, image: Tensor) -> bool:
    strides = [pixels / cells for pixels, cells in zip(image.shape[2:], sides, strict=True)]
    skew = max(strides) / min(strides)
    is_square = image.shape[2] == image.shape[3]
    return min(strides) >= 1 and skew <= (1 if is_square else _LARGEST_SKEW)
