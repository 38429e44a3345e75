"""Work in chunks: report, listen for a cancel between them, and shrink when memory runs out."""

import gc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import torch

from xai_core.errors import Cancelled, InputError, MemoryExhaustedError

Progress = Callable[[int, int], None]
"""Called with what is done and the total; both count forward passes."""

IsCancelled = Callable[[], bool]
"""Asked between chunks; True stops the work with `Cancelled`."""

_Part = TypeVar("_Part", bound="Part")
_Result = TypeVar("_Result")


class Part(Protocol):
    """A piece of work that can be cut in two."""

    def __len__(self) -> int:
        """Count the forward passes in it."""

    def halves(self: _Part) -> tuple[_Part, _Part]:
        """Return it in two pieces; asked only where there are two passes or more."""


@dataclass(frozen=True)
class Chunk:
    """Consecutive passes.

    Attributes:
        start: The first.
        stop: One past the last.
    """

    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start

    def halves(self) -> tuple["Chunk", "Chunk"]:
        """Return the first and the second half."""
        middle = (self.start + self.stop) // 2
        return Chunk(self.start, middle), Chunk(middle, self.stop)


def chunks(total: int, size: int) -> list[Chunk]:
    """Return chunks of `size` passes, the last perhaps smaller, that cover `total`.

    Raises:
        InputError: The chunk size is below 1.
    """
    if size < 1:
        raise InputError(f"chunk_size is {size}; allowed: 1 or more")
    return [Chunk(start, min(start + size, total)) for start in range(0, total, size)]


def in_parts(
    parts: Sequence[_Part],
    work: Callable[[_Part], _Result],
    *,
    progress: Progress | None = None,
    cancelled: IsCancelled | None = None,
) -> Iterator[tuple[_Part, _Result]]:
    """Yield each part with `work(part)`; a part that does not fit into memory comes in pieces.

    Raises:
        Cancelled: `cancelled` returned True.
        MemoryExhaustedError: Not even a single pass fits.
    """
    total, done = sum(map(len, parts)), 0
    largest, waiting = total, list(reversed(parts))
    while waiting:
        part = waiting.pop()
        if cancelled is not None and cancelled():
            raise Cancelled(f"cancelled after {done} of {total} passes")
        result = _unless_out_of_memory(work, part) if len(part) <= largest else None
        if result is None:
            if len(part) == 1:
                raise MemoryExhaustedError("not even a single image fits into memory")
            largest = min(largest, len(part) - 1)
            waiting.extend(reversed(part.halves()))
            continue
        yield part, result
        done += len(part)
        if progress is not None:
            progress(done, total)


def _unless_out_of_memory(work: Callable[[_Part], _Result], part: _Part) -> _Result | None:
    """Return the result, or None once the failed attempt's memory is free again."""
    try:
        return work(part)
    except RuntimeError as exc:
        if not _is_out_of_memory(exc):
            raise
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return None


def _is_out_of_memory(exc: RuntimeError) -> bool:
    # The CPU allocator raises a plain RuntimeError.
    return isinstance(exc, torch.OutOfMemoryError) or "can't allocate memory" in str(exc)
