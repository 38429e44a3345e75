"""Work in chunks: report, listen for a cancel between them, and shrink when memory runs out."""

import gc
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, TypeVar

import torch
from torch import Tensor

from xai_core.errors import Cancelled, MemoryExhaustedError
from xai_core.runtime.run import UNWATCHED, Run

_NOTHING_FITS = "not even a single image fits into memory"

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
    """Return chunks of `size` passes, the last perhaps smaller, that cover `total`."""
    return [Chunk(start, min(start + size, total)) for start in range(0, total, size)]


def in_parts(
    parts: Sequence[_Part],
    work: Callable[[_Part], _Result],
    run: Run = UNWATCHED,
) -> Iterator[tuple[_Part, _Result]]:
    """Yield each part with `work(part)`; a part that does not fit into memory comes in pieces.

    On a GPU the next part is queued while one is computed, as long as `work` and the caller leave
    tensors where they are; progress counts what the GPU has finished.

    Raises:
        Cancelled: `run.cancelled` returned True.
        MemoryExhaustedError: Not even a single pass fits.
    """
    total, done = sum(map(len, parts)), 0
    largest, waiting = total, list(reversed(parts))
    queued: deque[tuple[int, torch.cuda.Event | None]] = deque()
    while waiting:
        part = waiting.pop()
        if run.cancelled is not None and run.cancelled():
            raise Cancelled(f"cancelled after {done} of {total} passes")
        result = _unless_out_of_memory(work, part) if len(part) <= largest else None
        if result is None:
            if len(part) == 1:
                raise MemoryExhaustedError(_NOTHING_FITS)
            largest = min(largest, len(part) - 1)
            waiting.extend(reversed(part.halves()))
            continue
        yield part, result
        queued.append((len(part), _end_of(result)))
        del result  # its memory is for the next part
        while queued and (not waiting or len(queued) > 1 or queued[0][1] is None):
            n_passes, end = queued.popleft()
            if end is not None:
                end.synchronize()
            done += n_passes
            if run.progress is not None:
                run.progress(done, total)


@contextmanager
def one_image() -> Iterator[None]:
    """Pass a single image inside.

    Raises:
        MemoryExhaustedError: It does not fit into memory.
    """
    try:
        yield
    except RuntimeError as exc:
        if not _is_out_of_memory(exc):
            raise
        raise MemoryExhaustedError(_NOTHING_FITS) from exc


def _end_of(result: object) -> "torch.cuda.Event | None":
    """Return what happens once a GPU has made a result, or None where it is there already."""
    if isinstance(result, tuple):
        result = result[0]
    if not isinstance(result, Tensor) or result.device.type != "cuda":
        return None
    end = torch.cuda.Event()  # type: ignore[no-untyped-call]
    end.record(torch.cuda.current_stream(result.device))
    return end


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
