"""What a card's architecture stands for: a builder of torchvision's, another package's or a site's.

Builders draw their weights at random; nothing is ever fetched.
"""

import importlib
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import torch
import torchvision.models as tv
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from xai_core.errors import ModelError
from xai_core.model.card import ModelCard
from xai_core.model.card_checks import did_you_mean
from xai_core.model.faults import fault
from xai_core.model.packages import PACKAGES, Logits, Package

Factory = Callable[[int], nn.Module]
"""Builds a model, whatever its weights, for a number of classes."""

# Inception and GoogLeNet have heads that serve training alone.
_WITHOUT_HEADS = {"aux_logits": False, "init_weights": False}
_OPTIONS = {"googlenet": _WITHOUT_HEADS, "inception_v3": _WITHOUT_HEADS}
LEFT_OUT = {
    "torchvision/googlenet": ("aux1.", "aux2."),
    "torchvision/inception_v3": ("AuxLogits.",),
    # Operating points: a card states them as thresholds.
    "torchxrayvision/DenseNet": ("op_threshs",),
}
"""With what the names of weights begin that an architecture has and does not need to answer."""


def register_architecture(name: str, factory: Factory) -> None:
    """Let model cards name an architecture of the site's own.

    Args:
        name: As cards give it: "site/lung-net", say.
        factory: Takes the number of classes and returns the model.

    Raises:
        ModelError: The name is taken by another architecture.
    """
    if ARCHITECTURES.setdefault(name, factory) is not factory:
        raise ModelError(f"architecture {name!r} is registered already; allowed: another name")


def import_plugins(modules: Iterable[str]) -> None:
    """Import a site's modules, which call `register_architecture` as they load.

    Raises:
        ModelError: A module cannot be found or does not load; says in which line.
    """
    for name in modules:
        try:
            importlib.import_module(name)
        except ModelError:
            raise
        except (Exception, SystemExit) as exc:
            raise ModelError(f"plugin {name!r} cannot be imported: {fault(exc)}") from exc


def prepare(architecture: str) -> None:
    """Import the package that an architecture needs, while this process may still read all files.

    Raises:
        ModelError: It is not installed.
    """
    package, _, _ = architecture.partition("/")
    if architecture not in ARCHITECTURES and package in PACKAGES:
        PACKAGES[package].load()


def build(card: ModelCard) -> nn.Module:
    """Build a card's architecture; its names of weights are those of its makers' checkpoints.

    Raises:
        ModelError: There is none of that name, its package is not installed, or its code fails.
    """
    name, n_classes = card.architecture, len(card.classes)
    package, _, inner = name.partition("/")
    try:
        if name in ARCHITECTURES:
            module = ARCHITECTURES[name](n_classes)
            grey = package == "torchvision" and card.preprocessing.channels == 1
            return _with_grey_stem(module) if grey else module
        if package in PACKAGES:
            with torch.random.fork_rng(devices=()):
                return PACKAGES[package].build(inner, card)
    except ModelError:
        raise
    except (Exception, SystemExit) as exc:
        raise ModelError(f"{name} cannot be built: {fault(exc)}") from exc
    hint = did_you_mean(name, ARCHITECTURES)
    raise ModelError(
        f"architecture is {name!r}; allowed: torchvision/<classification builder>, "
        f"{', '.join(f'{known}/…' for known in PACKAGES)}, "
        f"or a name that the site registered{hint}"
    )


def answering(module: nn.Module, card: ModelCard) -> nn.Module:
    """Return the module as one that returns logits alone."""
    known = _package(card)
    return Logits(module, known.pick) if known and known.pick else module


def renamed(
    tensors: Mapping[str, Tensor], module: nn.Module, card: ModelCard
) -> Mapping[str, Tensor]:
    """Return a checkpoint's tensors by the names that the module has for them."""
    known = _package(card)
    if known is None or known.rename is None:
        return tensors
    rename = known.rename(module)
    return {rename(name): tensor for name, tensor in tensors.items()}


def _package(card: ModelCard) -> Package | None:
    package, _, _ = card.architecture.partition("/")
    return None if card.architecture in ARCHITECTURES else PACKAGES.get(package)


class _NoMemoryForWeights(TorchFunctionMode):
    """Leaves uninitialised tensors without memory, so that initialising them costs nothing.

    Buffers and tables that a builder computes stay real, unlike under `torch.device("meta")`.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: tuple[type, ...],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        placed = {"device": "meta"} if func is torch.empty else {}
        return func(*args, **{**(kwargs or {}), **placed})


def _torchvision(builder: str, n_classes: int) -> nn.Module:
    with _NoMemoryForWeights():
        module: nn.Module = tv.get_model(
            builder, weights=None, num_classes=n_classes, **_OPTIONS.get(builder, {})
        )
    return module


def _with_grey_stem(module: nn.Module) -> nn.Module:
    """Let the first convolution take one channel, as is usual where films are grey."""
    stem = next(layer for layer in module.modules() if isinstance(layer, nn.Conv2d))
    stem.in_channels = 1
    stem.weight = nn.Parameter(stem.weight[:, :1].detach().clone())
    return module


ARCHITECTURES: dict[str, Factory] = {
    f"torchvision/{builder}": partial(_torchvision, builder)
    for builder in tv.list_models(module=tv)
}
"""torchvision's classification builders, and what the site registers."""
