"""The function that is explained: an image batch to the target's score, checked once."""

import hashlib
import operator
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import chain
from typing import TypeVar
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from xai_core.errors import InputError, ModelError, TargetError
from xai_core.runtime import heap
from xai_core.runtime.chunks import Chunk, chunks, in_parts, one_image
from xai_core.runtime.run import Run

_Choice = TypeVar("_Choice", bound=StrEnum)

_MOST_MEASURED = 64  # shapes of images, for each model
_measured: MutableMapping[nn.Module, dict[object, int]] = WeakKeyDictionary()

Baseline = Tensor | float | None
"""What stands for "nothing there", in the model's input space; None is 0."""


class Output(StrEnum):
    """Which number of the target is explained.

    The logit asks what speaks for the class by itself; the others also count what speaks against
    the other classes, and softmax and sigmoid flatten where the model is sure.
    """

    LOGIT = "logit"
    SOFTMAX = "softmax"
    SIGMOID = "sigmoid"
    LOG_ODDS = "log_odds"


@dataclass(frozen=True)
class TargetScore:
    """F: a batch (N, C, H, W) to the target's score (N,).

    Attributes:
        model: Returns class scores, (N, K).
        target: The class.
        output: What of its scores is F.
        clean_scores: The class scores, (1, K), that the caller's own model gave when it was
            checked on the image.
    """

    model: nn.Module
    target: int
    output: Output
    clean_scores: Tensor = field(repr=False, compare=False)

    @property
    def clean_score(self) -> float:
        """F of the image that was checked on, by the caller's own model."""
        return float(self.of(self.clean_scores))

    def __call__(self, batch: Tensor) -> Tensor:
        """Return F, (N,); the batch is copied, for a model may write into it."""
        return self.of(self.model(batch.clone()))

    def of(self, scores: Tensor) -> Tensor:
        """Return F, (N,), of the model's class scores, (N, K)."""
        logit = scores[:, self.target]
        if self.output is Output.SOFTMAX:
            return scores.softmax(1)[:, self.target]
        if self.output is Output.SIGMOID:
            return logit.sigmoid()
        if self.output is Output.LOG_ODDS:
            is_other = torch.arange(scores.shape[1], device=scores.device) != self.target
            return logit - scores[:, is_other].logsumexp(1)
        return logit

    def of_class(self, target: int) -> "TargetScore":
        """Return the score of another class of the same model.

        Raises:
            TargetError: The model has no such class.
        """
        return replace(self, target=_class_index(target, n_classes=self.clean_scores.shape[1]))


def target_score(
    model: nn.Module, image: Tensor, target: int, output: Output | str = Output.LOGIT
) -> TargetScore:
    """Check that the model answers `image` with class scores and that the target is one of them.

    Args:
        model: In eval mode; returns (N, K) scores.
        image: (1, C, H, W), as `as_image` returns it.
        target: Class index in [0, K).
        output: "logit", "softmax", "sigmoid", or "log_odds": the log of the odds against all
            other classes, ln(p / (1 - p)) with p from the softmax.

    Raises:
        InputError: There is no such output, or the model has one class and "log_odds" none.
        ModelError: The model is in train mode, or returns something else than (1, K) scores.
        TargetError: The target is no class index of the model.
        MemoryExhaustedError: The image does not fit.
    """
    with torch.no_grad():
        return checked_pass(model, image, target, output)[0]


def checked_pass(
    model: nn.Module, image: Tensor, target: int, output: Output | str = Output.LOGIT
) -> tuple[TargetScore, Tensor]:
    """Check what `target_score` checks by a pass that the caller may differentiate.

    Arguments and errors are those of `target_score`.

    Returns:
        The score, and F(image), (1,).
    """
    require_eval_mode(model)
    with one_image():
        scores = model(image.clone())
    if not isinstance(scores, Tensor) or scores.dim() != 2 or len(scores) != 1:
        got = tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
        raise ModelError(f"the model returned {got}; allowed: a tensor of class scores, (1, K)")
    if not scores.isfinite().all():
        raise ModelError("the model's scores for this image hold NaN or infinity")
    score = TargetScore(
        model,
        _class_index(target, n_classes=scores.shape[1]),
        choice(Output, output, "output"),
        # A compiled model may write its next answer where this one lies.
        scores.detach().clone(),
    )
    if score.output is Output.LOG_ODDS and scores.shape[1] == 1:
        raise InputError("output is 'log_odds', but the model has one class; allowed: two or more")
    return score, score.of(scores)


def require_eval_mode(model: nn.Module) -> None:
    """Refuse a model that learns while it is explained.

    Raises:
        ModelError: It, or a part of it, is in train mode.
    """
    training = [name or "the model" for name, module in model.named_modules() if module.training]
    if training:
        raise ModelError(f"{training[0]} is in train mode; allowed: eval mode, call model.eval()")


def as_image(image: Tensor, model: nn.Module) -> Tensor:
    """Check an image (1, C, H, W) and return it detached, on the model's device.

    Raises:
        InputError: It is not one finite floating-point image of the model's dtype.
    """
    if not isinstance(image, Tensor):
        raise InputError(f"image is a {type(image).__name__}; allowed: a tensor (1, C, H, W)")
    if image.dim() != 4 or len(image) != 1 or image.numel() == 0:
        raise InputError(f"image has shape {tuple(image.shape)}; allowed: (1, C, H, W)")
    like = next(chain(model.parameters(), model.buffers()), image)
    dtype = like.dtype if like.is_floating_point() else image.dtype
    if not image.is_floating_point() or image.dtype != dtype:
        raise InputError(f"image is {image.dtype}; allowed here: the model's floating {dtype}")
    if not image.isfinite().all():
        n_bad = int((~image.isfinite()).sum())
        raise InputError(f"image holds {n_bad} values that are NaN or infinite; allowed: finite")
    # A clone made outside inference mode may take part in autograd, whatever the caller's mode.
    return image.detach().to(like.device).clone()


def as_baseline(baseline: Baseline, image: Tensor) -> Tensor:
    """Return the baseline as a tensor of the image's shape, dtype and device.

    Raises:
        InputError: It does not broadcast to the image, or is not finite.
    """
    given = torch.as_tensor(0.0 if baseline is None else baseline).detach()
    try:
        expanded = given.to(image).expand_as(image).clone()
    except RuntimeError as exc:
        raise InputError(
            f"baseline has shape {tuple(given.shape)}; "
            f"allowed: a number or what broadcasts to {tuple(image.shape)}"
        ) from exc
    if not expanded.isfinite().all():
        raise InputError("baseline holds NaN or infinity; allowed: finite values")
    return expanded


def describe_baseline(baseline: Baseline) -> object:
    """Return a JSON-safe record: the number itself, or a tensor's shape and hash."""
    if not isinstance(baseline, Tensor):
        return float(baseline or 0.0)
    values = baseline.detach().cpu().float().contiguous()
    digest = hashlib.sha256(values.numpy().tobytes()).hexdigest()
    return {"shape": list(values.shape), "float32_sha256": digest}


def choice(kind: type[_Choice], name: str, parameter: str) -> _Choice:
    """Return the member of an enumeration by its value.

    Raises:
        InputError: There is none of that name.
    """
    try:
        return kind(name)
    except ValueError as exc:
        raise InputError(f"{parameter} is {name!r}; allowed: {', '.join(kind)}") from exc


@contextmanager
def differentiable() -> Iterator[None]:
    """Allow gradients inside, even when the caller forbade them."""
    with torch.inference_mode(mode=False), torch.enable_grad():
        yield


@heap.kept()
def score_images(
    score: TargetScore, like: Tensor, n_images: int, make: Callable[[Chunk], Tensor], run: Run
) -> NDArray[np.float64]:
    """Return F of images that are made and passed a chunk at a time, (n_images,).

    Args:
        score: F.
        like: An image of their size, (1, C, H, W).
        n_images: How many there are.
        make: Makes those of a chunk, (len(chunk), C, H, W).
        run: How to pass them.

    Raises:
        Cancelled: The caller asked to stop.
        MemoryExhaustedError: One image at a time is too much for the device.
    """

    def passed(chunk: Chunk) -> Tensor:
        with torch.inference_mode():
            return score(make(chunk))

    at_once = images_at_once(score, like, n_images, run)
    parts = [part for _, part in in_parts(chunks(n_images, at_once), passed, run)]
    # Read from the device once, at the end: until then it need not wait.
    scores: NDArray[np.float64] = torch.cat(parts).double().cpu().numpy()
    return scores


def images_at_once(score: TargetScore, like: Tensor, n_images: int, run: Run) -> int:
    """Return how many images of the size of `like`, (1, C, H, W), to pass at once."""
    return run.at_once(n_images, like.device, lambda: activation_bytes(score, like))


def activation_bytes(score: TargetScore, image: Tensor) -> int:
    """Return the bytes of activations that one image keeps, measured by a first forward pass.

    Raises:
        MemoryExhaustedError: The image does not fit.
    """
    known = _measured.setdefault(score.model, {})
    layers = tuple(map(type, score.model.modules()))  # that of the same model may be exchanged
    weights = tuple(p.shape for p in score.model.parameters())
    key = (layers, weights, image.shape, image.dtype, image.device)
    if (n_bytes := known.get(key)) is None:
        if len(known) == _MOST_MEASURED:
            known.clear()
        known[key] = n_bytes = _activation_bytes(score, image)
    return n_bytes


def _activation_bytes(score: TargetScore, image: Tensor) -> int:
    weights = {p.untyped_storage().data_ptr() for p in score.model.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with (
        one_image(),
        differentiable(),
        torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
    ):
        held = score(image.clone().requires_grad_())
        n_bytes = sum(size for address, size in kept.items() if address not in weights)
        del held
    return max(n_bytes, image.numel() * image.element_size())


def _class_index(target: int, *, n_classes: int) -> int:
    try:
        index = -1 if isinstance(target, bool) else operator.index(target)
    except TypeError:
        index = -1
    if not 0 <= index < n_classes:
        raise TargetError(f"target is {target!r}; allowed: an integer from 0 to {n_classes - 1}")
    return index
