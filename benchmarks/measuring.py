"""What all benchmarks share: models, images, alternating rounds and the machine's own peak."""

import platform
import statistics
import time
from collections.abc import Callable

import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional as F

from xai_core.device import device_name


def calibrated(name: str, size_px: int) -> nn.Module:
    """Build a torchvision model with random weights and sane batch norm statistics."""
    torch.manual_seed(0)
    model = getattr(torchvision.models, name)(weights=None)
    norms = [layer for layer in model.modules() if isinstance(layer, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None
        norm.reset_running_stats()
    if norms:
        with torch.no_grad():
            model.train()(torch.cat([smooth_image(size_px, seed=s) for s in range(4)]))
    return model.eval()


def smooth_image(size_px: int, *, seed: int = 9) -> Tensor:
    """Draw a coarse pattern with some noise, (1, 3, size, size)."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randn(1, 1, size_px // 16, size_px // 16, generator=generator)
    noise = torch.randn(1, 1, size_px, size_px, generator=generator)
    return (F.interpolate(coarse, size=size_px, mode="bicubic") + 0.2 * noise).expand(1, 3, -1, -1)


def alternate(
    candidates: dict[str, Callable[[], object]], *, rounds: int
) -> tuple[dict[str, float], dict[str, object]]:
    """Run all candidates in turn, `rounds` times.

    On one thread the process's own time is taken, which neighbours on the machine disturb less.

    Returns:
        Median seconds and the last result of each.
    """
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    results: dict[str, object] = {}
    for _ in range(rounds):
        for name, run in candidates.items():
            started = clock()
            results[name] = run()
            seconds[name].append(clock() - started)
    return {name: statistics.median(values) for name, values in seconds.items()}, results


def peak_gflops() -> float:
    """Measure what a large convolution reaches on this machine, in GFLOP/s."""
    layer = nn.Conv2d(256, 256, 3, padding=1).to(memory_format=torch.channels_last)
    images = torch.randn(16, 256, 28, 28).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        median, _ = alternate({"convolution": lambda: layer(images)}, rounds=9)
    return 2 * 16 * 28 * 28 * 256 * 256 * 9 / median["convolution"] / 1e9


def relative_difference(ours: Tensor, theirs: Tensor) -> float:
    """Return the largest difference of two maps over the largest value."""
    return float((ours - theirs).abs().max() / theirs.abs().max())


def machine() -> str:
    """Describe where the figures come from."""
    device = device_name(torch.device("cpu"))
    threads = torch.get_num_threads()
    return f"{device}, {threads} threads, PyTorch {torch.__version__}, {platform.system()}"
