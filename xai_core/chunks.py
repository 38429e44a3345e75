"""Work in chunks: report, listen for a cancel between them, and shrink when memory runs out."""

import gc
from collections.abc import Callable, Iterator
from typing import TypeVar

import torch

from xai_core.errors import Cancelled, InputError, MemoryExhaustedError

Progress = Callable[[int, int], None]
"""Called with what is done and the total; both count forward passes."""

IsCancelled = Callable[[], bool]
"""Asked between chunks; True stops the work with `Cancelled`."""

_Result = TypeVar("_Result")


def in_chunks(
    total: int,
    size: int,
    work: Callable[[int, int], _Result],
    *,
    progress: Progress | None = None,
    cancelled: IsCancelled | None = None,
) -> Iterator[_Result]:
    """Yield `work(start, stop)` for consecutive chunks that cover `range(total)`.

    A chunk that does not fit into memory is halved and tried again; the smaller size stays.

    Raises:
        InputError: The chunk size is below 1.
        Cancelled: `cancelled` returned True.
        MemoryExhaustedError: Not even a chunk of one fits.
    """
    if size < 1:
        raise InputError(f"chunk_size is {size}; allowed: 1 or more")
    start = 0
    while start < total:
        if cancelled is not None and cancelled():
            raise Cancelled(f"cancelled after {start} of {total} passes")
        stop = min(start + size, total)
        result = _unless_out_of_memory(work, start, stop)
        if result is None:
            if stop - start == 1:
                raise MemoryExhaustedError("a chunk of 1 image does not fit into memory")
            size = (stop - start) // 2
            continue
        yield result
        start = stop
        if progress is not None:
            progress(start, total)


def _unless_out_of_memory(
    work: Callable[[int, int], _Result], start: int, stop: int
) -> _Result | None:
    """Return the result, or None once the failed attempt's memory is free again."""
    try:
        return work(start, stop)
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
