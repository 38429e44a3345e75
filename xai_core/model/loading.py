"""Models from cards: the architecture from an allowlist, the weights from a checkpoint."""

import importlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torchvision.models as tv
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from xai_core.errors import CheckpointError, MemoryExhaustedError, ModelError
from xai_core.model.card import ModelCard
from xai_core.model.card_checks import did_you_mean
from xai_core.model.checkpoints import load_state_dict, named
from xai_core.runtime.device import pick_device

Factory = Callable[[int], nn.Module]
"""Builds a model, whatever its weights, for a number of classes."""

# Inception and GoogLeNet have heads that serve training alone.
_WITHOUT_HEADS = {"aux_logits": False, "init_weights": False}
_OPTIONS = {"googlenet": _WITHOUT_HEADS, "inception_v3": _WITHOUT_HEADS}
_TRAINING_HEADS = {
    "torchvision/googlenet": ("aux1.", "aux2."),
    "torchvision/inception_v3": ("AuxLogits.",),
}


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A model that is ready to answer.

    Attributes:
        card: What it was built from.
        module: (N, C, H, W) to (N, K) logits; in eval mode, no parameter wants a gradient.
        device: Where it lies.
    """

    card: ModelCard
    module: nn.Module
    device: torch.device

    def logits(self, batch: Tensor) -> Tensor:
        """Return the logits, (N, K) on the model's device, without gradients.

        Args:
            batch: (N, C, H, W) float32, normalised.

        Raises:
            ModelError: The model cannot take the batch, or answers with something else than one
                finite number per class.
            MemoryExhaustedError: The batch does not fit on the device.
        """
        expected = (len(batch), len(self.card.classes))
        try:
            with torch.no_grad():
                logits = self.module(batch.to(self.device))
        except torch.OutOfMemoryError as exc:
            raise MemoryExhaustedError(f"{len(batch)} images do not fit on {self.device}") from exc
        except (RuntimeError, ValueError, AssertionError) as exc:
            raise ModelError(
                f"{self.card.name} cannot take an input of {tuple(batch.shape)}: {exc}"
            ) from exc
        if not isinstance(logits, Tensor) or logits.shape != expected:
            got = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
            raise ModelError(f"{self.card.name} answers with {got}; allowed: logits, {expected}")
        if not logits.isfinite().all():
            raise ModelError(f"{self.card.name} answers with NaN or infinity")
        return logits


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
        ModelError: A module cannot be found or does not load.
    """
    for name in modules:
        try:
            importlib.import_module(name)
        except ImportError as exc:
            raise ModelError(f"plugin {name!r} cannot be imported: {exc}") from exc


def load_model(
    card: ModelCard,
    weights: Path | bytes | None = None,
    *,
    device: str | torch.device = "cpu",
) -> LoadedModel:
    """Build a card's model, fill it with its weights, and let it answer once.

    Args:
        card: Says what to build.
        weights: The checkpoint or its bytes; None takes the file beside the card.
        device: Where to put the model.

    Raises:
        CardError: There are no weights beside the card, for it was not read from a file.
        CheckpointError: The weights do not fit the architecture exactly, or cannot be read.
        ModelError: The architecture is not allowed, or the model cannot answer.
        InputError: The device is none, or is not present.
    """
    place = pick_device(str(device))
    factory = _factory(card.architecture)
    source = card.weights_path if weights is None else weights
    state = load_state_dict(source, expected_sha256=card.weights_sha256)
    module = factory(len(card.classes))
    _fill(module, state, card)
    model = LoadedModel(card, module.eval().requires_grad_(False).to(place), place)
    if card.preprocessing.input_size is not None:
        model.logits(torch.zeros(1, card.preprocessing.channels, *card.preprocessing.input_size))
    return model


class ModelCache:
    """The models used last, kept loaded; threads may share it.

    Args:
        max_models: How many are kept.
    """

    def __init__(self, max_models: int = 4) -> None:
        self._max_models = max_models
        self._models: OrderedDict[tuple[ModelCard, str], LoadedModel] = OrderedDict()
        self._lock = threading.Lock()

    def get(
        self,
        card: ModelCard,
        weights: Path | bytes | None = None,
        *,
        device: str | torch.device = "cpu",
    ) -> LoadedModel:
        """Return the card's model, loaded as `load_model` does unless it is here already.

        The card states the weights' hash, so equal cards are equal models.
        """
        key = (card, str(device))
        with self._lock:
            if key not in self._models:
                self._models[key] = load_model(card, weights, device=device)
            self._models.move_to_end(key)
            while len(self._models) > self._max_models:
                self._models.popitem(last=False)
            return self._models[key]


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


ARCHITECTURES: dict[str, Factory] = {
    f"torchvision/{builder}": partial(_torchvision, builder)
    for builder in tv.list_models(module=tv)
}
"""All that a card may name: torchvision's classification builders, and what the site registers."""


def _factory(architecture: str) -> Factory:
    if architecture not in ARCHITECTURES:
        hint = did_you_mean(architecture, ARCHITECTURES)
        raise ModelError(
            f"architecture is {architecture!r}; allowed: torchvision/<classification builder>, "
            f"or a name that the site registered{hint}"
        )
    return ARCHITECTURES[architecture]


def _fill(module: nn.Module, state: dict[str, Tensor], card: ModelCard) -> None:
    """Put the weights into the module, or say everything that does not fit."""
    own = module.state_dict()
    heads = _TRAINING_HEADS.get(card.architecture, ())
    state = {name: tensor for name, tensor in state.items() if not name.startswith(heads)}
    # Counters steer training alone, and PyTorch before 0.4.1 wrote none.
    missing = [k for k in own if k not in state and not k.endswith("num_batches_tracked")]
    extra = sorted(k for k in state if k not in own)
    shapes = [
        f"{k} is {tuple(state[k].shape)} and must be {tuple(own[k].shape)}"
        for k in own
        if k in state and state[k].shape != own[k].shape
    ]
    kinds = [
        f"{k} is {state[k].dtype} and must be {own[k].dtype}"
        for k in own
        if k in state and state[k].is_floating_point() != own[k].is_floating_point()
    ]
    problems = {"missing": missing, "not part of it": extra, "shape": shapes, "type": kinds}
    if any(problems.values()):
        said = "; ".join(f"{what}: {named(found)}" for what, found in problems.items() if found)
        raise CheckpointError(
            f"the weights do not fit {card.architecture} with {len(card.classes)} classes: {said}"
        )
    # Its own state dict carries the layout's version, which MNASNet asks for.
    own.update({name: tensor.to(own[name].dtype) for name, tensor in state.items()})
    module.load_state_dict(own, assign=True)
