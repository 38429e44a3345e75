"""Building a model from its card and weights; the architectures are a fixed list."""

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import torchvision.models as tv
from torch import Tensor, nn

from xai_core.card import ModelCard, card_to_json
from xai_core.checkpoints import load_state_dict, named
from xai_core.errors import CheckpointError, ModelError

Factory = Callable[[int], nn.Module]
TORCHVISION = "torchvision/"
AUXILIARY = ("AuxLogits.", "aux1.", "aux2.")

_registered: dict[str, Factory] = {}


@dataclass(frozen=True)
class LoadedModel:
    """A model ready to predict: in eval mode, its parameters frozen.

    Attributes:
        card: What it was loaded from.
        module: (N, C, H, W) to (N, K) logits.
        device: Where it lies.
    """

    card: ModelCard
    module: nn.Module
    device: torch.device


def architectures() -> tuple[str, ...]:
    """Return every name that a card may give as its architecture."""
    ours = [TORCHVISION + name for name in tv.list_models(module=tv)]
    return tuple(sorted([*ours, *_registered]))


def register_architecture(name: str, factory: Factory) -> None:
    """Allow cards to name a site's own architecture.

    Args:
        name: Such as "site/lungnet"; not one of torchvision's.
        factory: Takes the number of classes, returns an untrained module.

    Raises:
        ModelError: If the name is taken.
    """
    if name.startswith(TORCHVISION) or name in _registered:
        raise ModelError(f"the architecture {name!r} is there already")
    _registered[name] = factory


def load_model(
    card: ModelCard, weights: Path | bytes, *, device: torch.device | str = "cpu"
) -> LoadedModel:
    """Build the card's architecture and fill it with the weights, or fail as a whole.

    Args:
        card: The model card.
        weights: The weights file or its bytes; it must hash to what the card says.
        device: Where to put the model.

    Raises:
        ModelError: If the architecture is not on the list.
        CheckpointError: If the weights do not fit it exactly.
    """
    state = load_state_dict(weights, expected_sha256=card.weights_sha256)
    module = _empty(card.architecture, len(card.classes))
    state = _fitting(module, state, card.architecture)
    module.load_state_dict(state, assign=True)
    module.eval().requires_grad_(False)
    return LoadedModel(card, module.to(device), torch.device(device))


def _empty(architecture: str, n_classes: int) -> nn.Module:
    """Build without spending time on random weights, where the builder allows it."""
    try:
        with torch.device("meta"):
            return _build(architecture, n_classes)
    except NotImplementedError:  # RegNet's builder computes with tensors
        return _build(architecture, n_classes)


def _build(architecture: str, n_classes: int) -> nn.Module:
    if architecture in _registered:
        return _registered[architecture](n_classes)
    name = architecture.removeprefix(TORCHVISION)
    if architecture == name or name not in tv.list_models(module=tv):
        raise ModelError(
            f"the architecture {architecture!r} is not on the list; allowed: torchvision/<builder> "
            "such as torchvision/resnet50, or one that this site registered"
        )
    options = {"num_classes": n_classes}
    if name in ("googlenet", "inception_v3"):
        options |= {"aux_logits": False, "init_weights": False}
    module: nn.Module = tv.get_model(name, weights=None, **options)
    return module


def _fitting(module: nn.Module, state: dict[str, Tensor], architecture: str) -> dict[str, Tensor]:
    """Return the tensors in the module's types, or say everything that does not fit.

    Auxiliary heads, which serve training only, are left out.
    """
    wanted = module.state_dict()
    state = {k: v for k, v in state.items() if k in wanted or not k.startswith(AUXILIARY)}
    counters = {k for k in wanted if k.endswith("num_batches_tracked")}
    problems = []
    if missing := sorted(wanted.keys() - state.keys() - counters):
        problems.append(f"missing: {named(missing)}")
    if extra := sorted(state.keys() - wanted.keys()):
        problems.append(f"not part of it: {named(extra)}")
    shapes = [
        f"{key} is {tuple(state[key].shape)}, expected {tuple(wanted[key].shape)}"
        for key in wanted
        if key in state and state[key].shape != wanted[key].shape
    ]
    if shapes:
        problems.append(f"wrong shapes: {named(shapes)}")
    if problems:
        raise CheckpointError(f"the weights do not fit {architecture}: {'; '.join(problems)}")
    zero = torch.zeros((), dtype=torch.long)
    return {key: state.get(key, zero).to(tensor.dtype) for key, tensor in wanted.items()}


class ModelCache:
    """Keeps the models used last, loaded; threads may share it."""

    def __init__(self, max_entries: int = 4) -> None:
        self._max_entries = max_entries
        self._models: OrderedDict[str, LoadedModel] = OrderedDict()
        self._lock = threading.Lock()

    def get(
        self, card: ModelCard, weights: Path, *, device: torch.device | str = "cpu"
    ) -> LoadedModel:
        """Return the model of a card, loaded now or before.

        Raises:
            ModelError: As `load_model`.
            CheckpointError: As `load_model`.
        """
        content = json.dumps([card_to_json(card), str(device)], sort_keys=True)
        key = hashlib.sha256(content.encode()).hexdigest()
        with self._lock:
            if key not in self._models:
                self._models[key] = load_model(card, weights, device=device)
                while len(self._models) > self._max_entries:
                    self._models.popitem(last=False)
            self._models.move_to_end(key)
            return self._models[key]
