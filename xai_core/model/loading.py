"""Models from cards: the architecture from an allowlist, the weights from a checkpoint."""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from xai_core.errors import CheckpointError, MemoryExhaustedError, ModelError, XaiError
from xai_core.model.activation import without_activation
from xai_core.model.architectures import LEFT_OUT, answering, build, renamed
from xai_core.model.card import ModelCard, Output
from xai_core.model.checkpoints import Weights, read_tensors, weights_of
from xai_core.model.faults import fault
from xai_core.model.prefixes import named
from xai_core.runtime.device import pick_device

_TRIAL_SIDE_PX = 224


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A model that is ready to answer.

    Attributes:
        card: What it was built from.
        module: (N, C, H, W) to (N, K) logits; in eval mode, no parameter wants a gradient.
        device: Where it lies.
        notes: What of its weights was taken off, left out or converted, in words.
    """

    card: ModelCard
    module: nn.Module
    device: torch.device
    notes: tuple[str, ...] = ()

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
        except (MemoryError, XaiError):
            raise
        except Exception as exc:  # its code is the site's, or a package's
            raise ModelError(
                f"{self.card.name} cannot take an input of {tuple(batch.shape)}: {fault(exc)}"
            ) from exc
        if not isinstance(logits, Tensor) or logits.shape != expected:
            got = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
            raise ModelError(f"{self.card.name} answers with {got}; allowed: logits, {expected}")
        if not logits.isfinite().all():
            raise ModelError(f"{self.card.name} answers with NaN or infinity")
        return logits


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
    source = card.weights_path if weights is None else weights
    module = build(card)
    tensors: Mapping[str, Tensor] = read_tensors(source, expected_sha256=card.weights_sha256)
    tensors = renamed(tensors, module, card)
    found = weights_of(tensors, module.state_dict(), prefix=card.weights_prefix)
    _fill(module, found, card)
    module = answering(module, card).eval().requires_grad_(False)
    if card.output is Output.PROBABILITIES:
        module = without_activation(module, torch.zeros(trial_shape(card)))
    model = LoadedModel(card, module.to(place), place, found.notes)
    if card.preprocessing.input_size is not None:
        model.logits(torch.zeros(trial_shape(card)))
    return model


def trial_shape(card: ModelCard) -> tuple[int, int, int, int]:
    """Return the shape of one input, (1, C, H, W), for a model to answer to."""
    size = card.preprocessing.input_size or (_TRIAL_SIDE_PX, _TRIAL_SIDE_PX)
    return (1, card.preprocessing.channels, *size)


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


def _fill(module: nn.Module, weights: Weights, card: ModelCard) -> None:
    """Put the weights into the module, or say everything that does not fit."""
    own = module.state_dict()
    unneeded = LEFT_OUT.get(card.architecture, ())
    state = {k: tensor for k, tensor in weights.tensors.items() if not k.startswith(unneeded)}
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
        below = f", read below {weights.prefix!r}," if weights.prefix else ""
        n_classes = len(card.classes)
        raise CheckpointError(
            f"the weights{below} do not fit {card.architecture} with {n_classes} classes: {said}"
        )
    # Its own state dict carries the layout's version, which MNASNet asks for.
    own.update({name: tensor.to(own[name].dtype) for name, tensor in state.items()})
    module.load_state_dict(own, assign=True)
