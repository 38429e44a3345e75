"""The golden test of a card: an image whose scores are known, and what was mistaken if they differ.

A wrong preprocessing raises no error: the model answers, and answers wrong.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xai_core.errors import ModelError, XaiError
from xai_core.model.card import ChannelOrder, Interpolation, ModelCard, Preprocessing
from xai_core.model.card_golden import Golden
from xai_core.model.loading import LoadedModel
from xai_core.model.prediction import predict
from xai_core.model.preprocessing import to_input

_MOST_SAID = 5
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))

Change = Mapping[str, Any]  # of a card's preprocessing


def try_golden(model: LoadedModel, unit: NDArray[np.float32], *, pixel_aspect: float = 1.0) -> None:
    """Let a model score its card's golden image.

    Args:
        model: Its card has a golden test.
        unit: The image, (H, W) grey or (H, W, 3) RGB, in [0, 1].
        pixel_aspect: Height of its pixels over their width.

    Raises:
        ModelError: A score is off; says which common mistake of the card would explain it.
    """
    golden = model.card.golden
    if golden is None:
        return
    scored = partial(_scores, pixel_aspect=pixel_aspect)
    found = scored(model, unit)
    if _fits(found, golden):
        return
    off = sorted(golden.scores, key=lambda name: -abs(found[name] - golden.scores[name]))
    said = ", ".join(
        f"{name} scores {found[name]:.3f}, expected {golden.scores[name]:.3f}"
        for name in off[:_MOST_SAID]
    )
    raise ModelError(
        f"the golden image {golden.image} does not score as the card says "
        f"(within {golden.tolerance:g}): {said}. {_explained(scored, model, unit, golden)}"
    )


def _scores(
    model: LoadedModel, unit: NDArray[np.float32], *, pixel_aspect: float
) -> dict[str, float]:
    given, _ = to_input(unit, model.card.preprocessing, pixel_aspect=pixel_aspect)
    return dict(zip(model.card.classes, predict(model, given).scores, strict=True))


def _fits(found: Mapping[str, float], golden: Golden) -> bool:
    return all(abs(found[k] - score) <= golden.tolerance for k, score in golden.scores.items())


def _explained(
    scored: Callable[[LoadedModel, NDArray[np.float32]], dict[str, float]],
    model: LoadedModel,
    unit: NDArray[np.float32],
    golden: Golden,
) -> str:
    for words, card in _mistakes(model.card):
        try:
            found = scored(replace(model, card=card), unit)
        except XaiError:  # the model takes no such size
            continue
        if _fits(found, golden):
            return f"They would with {words}."
    if _fits(scored(model, 1 - unit), golden):
        return "They would with black and white exchanged."
    return (
        "No other usual order of colours, range, normalisation or resizing gives them, either: "
        "look at the weights, the order of classes and the image."
    )


def _mistakes(card: ModelCard) -> Iterator[tuple[str, ModelCard]]:
    """Yield cards with one other preprocessing, then those with several, each in words."""
    stated = card.preprocessing
    axes = (_orders(stated), _values(stated), _sizes(stated))
    chosen = [
        [change for change in choice if change is not None]
        for choice in product(*([None, *axis] for axis in axes))
    ]
    for changes in sorted(filter(None, chosen), key=len):
        changed = replace(stated, **{k: v for _, change in changes for k, v in change.items()})
        if changed != stated:
            yield " and ".join(words for words, _ in changes), replace(card, preprocessing=changed)


def _orders(stated: Preprocessing) -> list[tuple[str, Change]]:
    if stated.channels == 1:
        return []
    other = ChannelOrder.RGB if stated.channel_order is ChannelOrder.BGR else ChannelOrder.BGR
    return [(f'channel_order = "{other}"', {"channel_order": other})]


def _values(stated: Preprocessing) -> list[tuple[str, Change]]:
    n = stated.channels
    ones = ((0.0,) * n, (1.0,) * n)
    imagenet = _IMAGENET if n == 3 else ((0.449,), (0.226,))
    options: list[tuple[str, tuple[float, float], tuple[tuple[float, ...], ...]]] = [
        ("input_range = [0, 255], mean 0 and std 1", (0.0, 255.0), ones),
        ("no normalisation (mean 0 and std 1)", (0.0, 1.0), ones),
        ("ImageNet's mean and std", (0.0, 1.0), imagenet),
        ("mean and std 0.5", (0.0, 1.0), ((0.5,) * n, (0.5,) * n)),
        ("input_range = [-1024, 1024], mean 0 and std 1", (-1024.0, 1024.0), ones),
    ]
    return [
        (words, {"input_range": range_, "mean": mean, "std": std})
        for words, range_, (mean, std) in options
    ]


def _sizes(stated: Preprocessing) -> list[tuple[str, Change]]:
    other = Interpolation.BICUBIC
    if stated.interpolation is Interpolation.BICUBIC:
        other = Interpolation.BILINEAR
    changes: list[tuple[str, Change]] = [(f'interpolation = "{other}"', {"interpolation": other})]
    if (size := stated.input_size) is None:
        return changes
    side = min(size)
    for words, resize, crop in (
        (f"resize = [{size[0]}, {size[1]}] and no crop", size, None),
        (f"resize = {side} and crop = {side}", side, size),
        (f"resize = {round(side / 0.875)} and crop = {side}", round(side / 0.875), size),
    ):
        changes.append((words, {"resize": resize, "crop": crop}))
    return changes
