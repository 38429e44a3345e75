"""With how many bits a model multiplies: what PyTorch rounds unasked, and fewer bits on request.

On GPUs since Ampere, PyTorch lets convolutions round float32 to TF32 (10 bits of mantissa) by
default. The setting is the process's: it holds in every thread, and methods leave it as it is.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

import torch
from torch import Tensor, fx, nn

from xai_core.errors import InputError, NotCopiedError

_TF32_IS_COARSER = 100.0  # what sums of rounded products miss by, against those of exact ones


class Products(StrEnum):
    """How a GPU multiplies float32 numbers."""

    IEEE = "ieee"
    TF32 = "tf32"


class _Setting:
    """The process's setting, held by any number of threads that want the same."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._holders: list[int] = []  # threads, once for each `with`
        self._held: Products | None = None
        self._before: tuple[str, str] = ("", "")

    def take(self, wanted: Products) -> None:
        me = threading.get_ident()
        with self._changed:
            if me in self._holders and self._held is not wanted:
                raise InputError(f"products are {wanted} inside {self._held}; allowed: one of them")
            self._changed.wait_for(lambda: self._held in {None, wanted})
            if self._held is None:
                self._before = _now()
                _set(wanted, wanted)
                self._held = wanted
            self._holders.append(me)

    def give_back(self) -> None:
        with self._changed:
            self._holders.remove(threading.get_ident())
            if not self._holders:
                _set(*self._before)
                self._held = None
                self._changed.notify_all()


_setting = _Setting()


@contextmanager
def products(wanted: Products | str) -> Iterator[None]:
    """Multiply float32 numbers so on GPUs inside, and as before afterwards.

    Threads that want the same share the setting; one that wants the other waits for them. Threads
    that want neither get what there is.

    Args:
        wanted: "ieee" keeps all bits, "tf32" rounds and is several times faster.

    Raises:
        InputError: There is no such way, or this thread is inside the other one.
    """
    try:
        chosen = Products(wanted)
    except ValueError as exc:
        allowed = ", ".join(Products)
        raise InputError(f"products are {wanted!r}; allowed: {allowed}") from exc
    _setting.take(chosen)
    try:
        yield
    finally:
        _setting.give_back()


def tolerated(exact: float, device: torch.device) -> float:
    """Return what two ways to the same number may miss by on a device.

    Args:
        exact: What they may miss by where float32 numbers are multiplied with all their bits.
        device: Where.
    """
    rounds = device.type == "cuda" and Products.TF32 in _now()
    return exact * _TF32_IS_COARSER if rounds else exact


class Autocast(nn.Module):
    """A model whose forward pass, and nothing else, runs under PyTorch's autocast.

    Gradients of the image and what methods add up stay float32. Methods that work on a copy of the
    model (`xai_core.graph.tracing.prepare`) refuse it.

    Args:
        model: Takes (N, C, H, W) and returns (N, K) class scores; float32.
        dtype: What to multiply in, such as `torch.bfloat16`.
    """

    def __init__(self, model: nn.Module, dtype: torch.dtype = torch.bfloat16) -> None:
        super().__init__()
        self.model = model
        self.dtype = dtype
        self.train(model.training)

    def forward(self, x: Tensor | fx.Proxy) -> Tensor:
        """Return float32 scores, (N, K)."""
        if isinstance(x, fx.Proxy):
            raise NotCopiedError(f"the model runs in {self.dtype}, which a copy would not")
        with torch.autocast(x.device.type, dtype=self.dtype):
            scores: Tensor = self.model(x)
        return scores.float()


def _now() -> tuple[str, str]:
    """Return how matrix products and convolutions multiply."""
    matmul = Products.TF32 if torch.backends.cuda.matmul.allow_tf32 else Products.IEEE
    convolution = Products.TF32 if torch.backends.cudnn.allow_tf32 else Products.IEEE
    return matmul, convolution


def _set(matmul: str, convolution: str) -> None:
    torch.backends.cuda.matmul.allow_tf32 = matmul == Products.TF32
    torch.backends.cudnn.allow_tf32 = convolution == Products.TF32
