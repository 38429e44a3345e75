"""What all benchmarks share: rounds that alternate, memory, FLOPs and the machine's peak."""

import ctypes
import gc
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.flops import n_flops

Candidate = Callable[[], Any]


@dataclass(frozen=True)
class Pace:
    """Where and how long to measure.

    Attributes:
        rounds: Medians are over so many, at most.
        budget_s: No round begins that would end later than so many seconds after the warm-up.
        device: Of models and images.
    """

    rounds: int = 5
    budget_s: float = 60.0
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))


@dataclass(frozen=True)
class Timed:
    """What the rounds came to, by candidate.

    Attributes:
        seconds: Medians; the warm-up's where that alone outlasted the budget.
        results: What the warm-up returned.
        peaks: Bytes that the warm-up took at most beyond what was taken before it.
        flops: What the warm-up computed, multiplications and additions counted apart.
        rounds: How many followed the warm-up.
    """

    seconds: dict[str, float]
    results: dict[str, Any]
    peaks: dict[str, int]
    flops: dict[str, int]
    rounds: int


def alternate(candidates: Mapping[str, Candidate], pace: Pace) -> Timed:
    """Run all candidates in turn: once to warm up, measuring memory and FLOPs, then on the clock.

    On one thread of a CPU the process's own time is taken, which neighbours on the machine disturb
    less. On a GPU the clock is read when all that was launched has finished.
    """
    results, peaks, flops, medians = {}, {}, {}, {}
    for name, run in candidates.items():
        with _clock(pace.device) as warm_up:
            results[name], peaks[name], flops[name] = _observed(run, pace.device)
        medians[name] = warm_up.seconds
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    spent, round_s, n_rounds = 0.0, sum(medians.values()), 0
    while n_rounds < pace.rounds and spent + round_s <= pace.budget_s:
        for name, run in candidates.items():
            with _clock(pace.device) as taken:
                run()
            seconds[name].append(taken.seconds)
        n_rounds += 1
        spent = sum(map(sum, seconds.values()))
        round_s = spent / n_rounds
    if n_rounds:
        medians = {name: statistics.median(values) for name, values in seconds.items()}
    return Timed(medians, results, peaks, flops, n_rounds)


def peak_bytes(run: Candidate, device: torch.device) -> int:
    """Measure how much memory a run takes at most beyond what was taken before it."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        run()
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")  # the kernel forgets the peak so far
    before = _status_bytes("VmRSS")
    run()
    return _status_bytes("VmHWM") - before


def n_images_passed(model: nn.Module, run: Candidate) -> int:
    """Count the images that a run passes through a model."""
    passed: list[int] = []
    hook = model.register_forward_pre_hook(lambda _, args: passed.append(len(args[0])))
    try:
        run()
    finally:
        hook.remove()
    return sum(passed)


def peak_flops(device: torch.device, dtype: torch.dtype = torch.float32) -> float:
    """Measure what a large convolution or matrix product reaches here, the faster, in FLOP/s."""
    layer = nn.Conv2d(256, 256, 3, padding=1).to(device, dtype, memory_format=torch.channels_last)
    n_images, side = (4, 1024) if device.type == "cpu" else (256, 8192)
    images = torch.randn(n_images, 256, 28, 28, device=device, dtype=dtype)
    images = images.contiguous(memory_format=torch.channels_last)
    matrix = torch.randn(side, side, device=device, dtype=dtype)
    work = {
        "convolution": lambda: layer(images),
        "product": lambda: matrix @ matrix,
    }
    with torch.inference_mode():
        timed = alternate(work, Pace(rounds=7, device=device))
    return max(timed.flops[name] / timed.seconds[name] for name in work)


def relative_difference(ours: Tensor, theirs: Tensor) -> float:
    """Return the largest difference of two maps over the largest value."""
    ours, theirs = ours.detach().cpu().double(), theirs.detach().cpu().double()
    return float((ours - theirs).abs().max() / theirs.abs().max())


def _observed(run: Candidate, device: torch.device) -> tuple[Any, int, int]:
    """Return a run's result, its peak in bytes, and its FLOPs."""
    results: list[Any] = []
    flops: list[int] = []

    def counted() -> None:
        flops.append(n_flops(lambda: results.append(run())))

    taken = peak_bytes(counted, device)
    return results[0], taken, flops[0]


@dataclass
class _Taken:
    """What a stretch of work took."""

    seconds: float = 0.0


@contextmanager
def _clock(device: torch.device) -> Iterator[_Taken]:
    on_gpu = device.type == "cuda"
    own_time = torch.get_num_threads() == 1 and not on_gpu
    clock = time.process_time if own_time else time.perf_counter
    if on_gpu:
        torch.cuda.synchronize(device)
    taken, started = _Taken(), clock()
    yield taken
    if on_gpu:
        torch.cuda.synchronize(device)
    taken.seconds = clock() - started


def _status_bytes(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))
