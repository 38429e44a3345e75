"""How work is run, whatever it computes: how much at once, who watches, and who may stop it."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from xai_core.errors import InputError
from xai_core.runtime import device as devices

Progress = Callable[[int, int], None]
"""Called with what is done and the total; both count forward passes."""

IsCancelled = Callable[[], bool]
"""Asked between chunks; True stops the work with `Cancelled`."""


@dataclass(frozen=True)
class Run:
    """How work is run.

    Attributes:
        chunk_size: Passes made at once at most, 1 or more; None takes it from the free memory.
        progress: Told what is done and the total.
        cancelled: Asked between chunks.

    Raises:
        InputError: The chunk size is below 1.
    """

    chunk_size: int | None = None
    progress: Progress | None = None
    cancelled: IsCancelled | None = None

    def __post_init__(self) -> None:
        if self.chunk_size is not None and self.chunk_size < 1:
            raise InputError(f"chunk_size is {self.chunk_size}; allowed: 1 or more")

    def at_once(self, n_passes: int, device: torch.device, measure: Callable[[], int]) -> int:
        """Return how many of the passes to make at once.

        Args:
            n_passes: How many there are.
            device: Where they are made.
            measure: Returns the bytes that one takes; asked only where it decides.
        """
        if self.chunk_size is not None:
            return self.chunk_size
        return devices.chunk_size(measure(), device, limit=n_passes)

    def part(self, number: int, n_parts: int) -> "Run":
        """Return the same, for one of several equal parts of the work."""
        return self._reporting(
            lambda report, done, total: report(number * total + done, n_parts * total)
        )

    def after(self, n_before: int, n_total: int) -> "Run":
        """Return the same, for what follows `n_before` of `n_total` passes."""
        return self._reporting(lambda report, done, _: report(n_before + done, n_total))

    def rising(self) -> "Run":
        """Return the same, which reports only more than before: done again is no progress."""
        most = 0

        def rise(report: Progress, done: int, total: int) -> None:
            nonlocal most
            if done > most:
                most = done
                report(done, total)

        return self._reporting(rise)

    def _reporting(self, how: Callable[[Progress, int, int], None]) -> "Run":
        if (report := self.progress) is None:
            return self
        return replace(self, progress=lambda done, total: how(report, done, total))


UNWATCHED = Run()
"""As much at once as the memory holds, told to nobody, stopped by nobody."""
