"""Running a method beyond its own call.

What it will take, several images, and the CPU when a GPU is too small.
"""

import copy
import ctypes
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from xai_core.attribution import Attribution
from xai_core.errors import Cancelled, InputError, MemoryExhaustedError
from xai_core.graph.copies import Fingerprints, unchanged
from xai_core.runtime.run import IsCancelled, Progress

Explain = Callable[..., Attribution]
"""A method of `xai_core.methods`: (model, image, *, target, progress, cancelled, ...)."""

_SAMPLE_EVERY_SECONDS = 0.005
_ENOUGH_SECONDS = 1.0
_PARTS_PER_IMAGE = 1000


@dataclass(frozen=True)
class Estimate:
    """What a run will take.

    Attributes:
        seconds: Wall time; an upper bound where the method may stop early.
        peak_bytes: The most memory it takes beyond what is taken now, on the model's device.
    """

    seconds: float
    peak_bytes: int


def estimate(explain: Explain, model: nn.Module, image: Tensor, **options: Any) -> Estimate:
    """Run a method for a second, or for one chunk if that takes longer, and extrapolate.

    What is done once before the first chunk is paid in full and not multiplied; the first chunk,
    which finds the machine cold, counts only where there is no other.

    Args:
        explain: The method.
        model: As the method takes it.
        image: As the method takes it.
        **options: The method's own, such as `target`; not `progress` and `cancelled`.

    Raises:
        XaiError: What the method itself raises.
    """
    began: list[float] = []
    reports: list[tuple[float, int, int]] = []  # time, passes done, passes in all

    def progress(n_done: int, n_total: int) -> None:
        reports.append((time.perf_counter(), n_done, n_total))

    def has_seen_enough() -> bool:
        began.append(time.perf_counter())
        return bool(reports) and reports[-1][0] - began[0] >= _ENOUGH_SECONDS

    started = time.perf_counter()
    with _peak(_device_of(model, image)) as peak:
        try:
            explain(model, image, progress=progress, cancelled=has_seen_enough, **options)
        except Cancelled:
            last, n_done, n_total = reports[-1]
            cold, n_cold, _ = reports[0] if len(reports) > 1 else (began[0], 0, 0)
            each = (last - cold) / (n_done - n_cold)
            seconds = last - started + each * (n_total - n_done)
        else:
            seconds = time.perf_counter() - started
    return Estimate(seconds, peak.n_bytes)


@dataclass(frozen=True)
class Outcome:
    """What came of one image among several: one of the two.

    Attributes:
        attribution: Its map.
        error: Why there is none.
    """

    attribution: Attribution | None
    error: Exception | None


def explain_all(
    explain: Explain,
    model: nn.Module,
    images: Sequence[Tensor],
    *,
    targets: int | Sequence[int],
    progress: Progress | None = None,
    cancelled: IsCancelled | None = None,
    **options: Any,
) -> Iterator[Outcome]:
    """Run a method on one image after another; what is prepared of the model is prepared once.

    Maps equal those of single runs, and an image that cannot be explained does not stop the
    others. Nothing may change the model before the last outcome.

    Args:
        explain: The method.
        model: As the method takes it.
        images: (1, C, H, W) each, of any sizes.
        targets: A class index for all images, or one for each.
        progress: Called with thousandths of images done and their number.
        cancelled: As the method takes it.
        **options: The method's own.

    Yields:
        The outcome of each image, in their order.

    Raises:
        InputError: There are not as many targets as images.
        Cancelled: The caller asked to stop; what was yielded before is whole.
    """
    each = [targets] * len(images) if isinstance(targets, int) else list(targets)
    if len(each) != len(images):
        raise InputError(f"targets are {len(each)}; allowed: one, or {len(images)} as the images")
    report = progress or (lambda _done, _total: None)
    run = partial(explain, model, cancelled=cancelled, **options)
    return _outcomes(run, list(zip(images, each, strict=True)), report)


def _outcomes(
    run: Callable[..., Attribution], pairs: Sequence[tuple[Tensor, int]], report: Progress
) -> Iterator[Outcome]:
    known: Fingerprints = WeakKeyDictionary()
    n_parts = _PARTS_PER_IMAGE * len(pairs)
    for number, (image, target) in enumerate(pairs):

        def within(n_done: int, n_total: int, before: int = number * _PARTS_PER_IMAGE) -> None:
            report(before + _PARTS_PER_IMAGE * n_done // n_total, n_parts)

        try:
            # The caller may do anything between two outcomes: what is believed ends before each.
            with unchanged(known):
                outcome = Outcome(run(image, target=target, progress=within), None)
        except Cancelled:
            raise
        # Models fail on an image in ways of their own; the next image may be a better one.
        except Exception as exc:
            outcome = Outcome(None, exc.with_traceback(None))
        report((number + 1) * _PARTS_PER_IMAGE, n_parts)
        yield outcome


def explain_on_cpu_at_last(
    explain: Explain, model: nn.Module, image: Tensor, **options: Any
) -> Attribution:
    """Run a method; where a GPU cannot hold even a single image, on a copy of the model on the CPU.

    Args:
        explain: The method.
        model: As the method takes it.
        image: As the method takes it.
        **options: The method's own.

    Returns:
        The attribution, with a note where it came from the CPU for lack of memory.

    Raises:
        XaiError: What the method itself raises.
    """
    try:
        return explain(model, image, **options)
    except MemoryExhaustedError:
        if _device_of(model, image).type == "cpu":
            raise
    found = explain(_on_cpu(model), image.cpu(), **options)
    note = "Computed on the CPU, for the GPU's memory did not suffice."
    return replace(found, notes=(*found.notes, note))


def _on_cpu(model: nn.Module) -> nn.Module:
    """Return a copy of a model on the CPU, made without memory on the model's own device."""
    copies: dict[int, Any] = {}
    for tensor in chain(model.parameters(), model.buffers()):
        values = tensor.detach().cpu().clone()
        is_parameter = isinstance(tensor, nn.Parameter)
        copies[id(tensor)] = nn.Parameter(values, tensor.requires_grad) if is_parameter else values
    return copy.deepcopy(model, copies)


def _device_of(model: nn.Module, image: Tensor) -> torch.device:
    return next(chain(model.parameters(), model.buffers()), image).device


class _Peak:
    """The most memory that was taken."""

    n_bytes = 0


@contextmanager
def _peak(device: torch.device) -> Iterator[_Peak]:
    """Measure the memory that is taken inside, beyond what was taken before."""
    peak = _Peak()
    if device.type == "cuda":
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        yield peak
        peak.n_bytes = torch.cuda.max_memory_allocated(device) - before
        return
    _give_back_freed_memory()
    before, done = _resident_bytes(), threading.Event()

    def watch() -> None:
        while not done.wait(_SAMPLE_EVERY_SECONDS):
            peak.n_bytes = max(peak.n_bytes, _resident_bytes() - before)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        done.set()
        watcher.join()


def _give_back_freed_memory() -> None:
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's alone
    if trim is not None:
        trim(0)


def _resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096
