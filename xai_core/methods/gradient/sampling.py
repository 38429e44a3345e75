"""What methods that average over random draws have in common."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

from xai_core.errors import InputError
from xai_core.runtime.chunks import Chunk

_Draw = TypeVar("_Draw")


class Draws(Generic[_Draw]):
    """Random draws by their number, the same however they are asked for in chunks.

    A chunk that does not fit into memory is asked for again in pieces; its draws are kept until a
    later one is asked for.

    Args:
        draw: Makes the next draw.
    """

    def __init__(self, draw: Callable[[], _Draw]) -> None:
        self._draw = draw
        self._n_drawn = 0
        self._kept: dict[int, _Draw] = {}

    def at(self, chunk: Chunk) -> list[_Draw]:
        """Return the draws of a chunk; chunks are asked for in their order."""
        for number in [number for number in self._kept if number < chunk.start]:
            del self._kept[number]
        while self._n_drawn < chunk.stop:
            self._kept[self._n_drawn] = self._draw()
            self._n_drawn += 1
        return [self._kept[number] for number in range(chunk.start, chunk.stop)]


class Moments:
    """Mean and variance of maps that come a few at a time (Chan, Golub & LeVeque 1983).

    Attributes:
        n: Maps so far.
        mean: Their mean.
    """

    def __init__(self) -> None:
        self.n = 0
        self.mean = torch.zeros(())
        self._squares = torch.zeros(())

    def add(self, maps: Tensor) -> None:
        """Take in maps, (n, ...)."""
        n, mean = len(maps), maps.mean(0)
        if self.n == 0:
            self.mean, self._squares = torch.zeros_like(mean), torch.zeros_like(mean)
        total, step = self.n + n, mean - self.mean
        self.mean = self.mean + step * (n / total)
        self._squares = (
            self._squares + (maps - mean).square().sum(0) + step.square() * (self.n * n / total)
        )
        self.n = total

    @property
    def variance(self) -> Tensor:
        """The mean square distance from the mean."""
        return self._squares / self.n

    @property
    def standard_error(self) -> Tensor | None:
        """How far the mean is expected to be from that of endless draws; None for one draw."""
        return None if self.n < 2 else (self._squares / (self.n - 1) / self.n).sqrt()

    def measures(self) -> dict[str, Any]:
        """Return the standard error's root mean square, and it over the mean's largest value."""
        if self.standard_error is None:
            return {"standard_error": None, "relative_standard_error": None}
        error = float(self.standard_error.square().mean().sqrt())
        largest = float(self.mean.abs().max())
        relative = error / largest if largest > 0 else None
        return {"standard_error": error, "relative_standard_error": relative}


def noise_scale(image: Tensor, noise_level: float) -> float:
    """Return a noise's standard deviation, given it as a share of the image's range of values.

    Raises:
        InputError: The share is negative or not finite.
    """
    if not 0 <= noise_level < float("inf"):
        raise InputError(f"noise_level is {noise_level}; allowed: 0 or more")
    return noise_level * float(image.max() - image.min())


def checked_n_samples(n_samples: int, *, fewest: int) -> int:
    """Return a number of samples.

    Raises:
        InputError: It is no number, or too small.
    """
    if not isinstance(n_samples, int) or isinstance(n_samples, bool) or n_samples < fewest:
        raise InputError(f"n_samples is {n_samples!r}; allowed: {fewest} or more")
    return n_samples


def noise_like(image: Tensor, generator: torch.Generator) -> Tensor:
    """Draw standard normal noise, (C, H, W), the same for a seed on every device and dtype."""
    return torch.randn(image.shape[1:], generator=generator, dtype=torch.float32)
