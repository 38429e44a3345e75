"""What all benchmarks share: models, images, alternating rounds, memory and the machine's peak."""

import ctypes
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional as F

from xai_core.device import device_name

Candidate = Callable[[], object]


def calibrated(name: str, size_px: int, device: torch.device | str = "cpu") -> nn.Module:
    """Build a torchvision model with random weights and sane batch norm statistics."""
    torch.manual_seed(0)
    sized = {"image_size": size_px} if name.startswith("vit") else {}
    model = getattr(torchvision.models, name)(weights=None, **sized)
    if name.startswith("vit"):
        nn.init.normal_(model.heads.head.weight, std=0.02)  # torchvision begins with zeros
    norms = [layer for layer in model.modules() if isinstance(layer, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None
        norm.reset_running_stats()
    if norms:
        with torch.no_grad():
            model.train()(torch.cat([smooth_image(size_px, seed=s) for s in range(4)]))
    return model.eval().to(device)


def smooth_image(size_px: int, *, seed: int = 9, device: torch.device | str = "cpu") -> Tensor:
    """Draw a coarse pattern with some noise, (1, 3, size, size)."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randn(1, 1, size_px // 16, size_px // 16, generator=generator)
    noise = torch.randn(1, 1, size_px, size_px, generator=generator)
    pattern = F.interpolate(coarse, size=size_px, mode="bicubic") + 0.2 * noise
    return pattern.expand(1, 3, -1, -1).contiguous().to(device)


def alternate(
    candidates: Mapping[str, Candidate], *, rounds: int
) -> tuple[dict[str, float], dict[str, object]]:
    """Run all candidates in turn, `rounds` times.

    On one thread of a CPU the process's own time is taken, which neighbours on the machine
    disturb less.

    Returns:
        Median seconds and the last result of each.
    """
    on_gpu = torch.cuda.is_available()
    own_time = torch.get_num_threads() == 1 and not on_gpu
    clock = time.process_time if own_time else time.perf_counter
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    results: dict[str, object] = {}
    for _ in range(rounds):
        for name, run in candidates.items():
            _wait(on_gpu)
            started = clock()
            results[name] = run()
            _wait(on_gpu)
            seconds[name].append(clock() - started)
    return {name: statistics.median(values) for name, values in seconds.items()}, results


def peak_bytes(run: Candidate) -> int:
    """Measure how much memory a run takes at most beyond what was taken before it."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        run()
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated() - before
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")  # the kernel forgets the peak so far
    before = _status_bytes("VmRSS")
    run()
    return _status_bytes("VmHWM") - before


def peak_gflops(device: torch.device | str = "cpu") -> float:
    """Measure what a large convolution reaches on this machine, in GFLOP/s."""
    layer = nn.Conv2d(256, 256, 3, padding=1).to(device, memory_format=torch.channels_last)
    images = torch.randn(16, 256, 28, 28, device=device)
    images = images.contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        median, _ = alternate({"convolution": lambda: layer(images)}, rounds=9)
    return 2 * 16 * 28 * 28 * 256 * 256 * 9 / median["convolution"] / 1e9


def relative_difference(ours: Tensor, theirs: Tensor) -> float:
    """Return the largest difference of two maps over the largest value."""
    ours, theirs = ours.cpu(), theirs.cpu()
    return float((ours - theirs).abs().max() / theirs.abs().max())


def machine(device: torch.device | str = "cpu") -> str:
    """Describe where the figures come from."""
    device = torch.device(device)
    where = device_name(device) if device.type == "cuda" else f"{_processor()}, {_threads()}"
    return f"{where}, PyTorch {torch.__version__}, {platform.system()}"


def _wait(on_gpu: bool) -> None:
    if on_gpu:
        torch.cuda.synchronize()


def _status_bytes(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = (line.split(": ", 1)[1] for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _threads() -> str:
    n = torch.get_num_threads()
    return f"{n} thread" if n == 1 else f"{n} threads"
