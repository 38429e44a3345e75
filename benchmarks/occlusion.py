"""Occlusion: windows a second, ours against Captum's at its default and its best setting.

Captum's cost is the same for every window, so it is timed on a coarser grid of the same windows
and scaled to their number; ours is timed on the whole task, preparation and checks included.
"""

import math
from dataclasses import dataclass

import torch
from captum.attr import Occlusion
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.measuring import (
    alternate,
    calibrated,
    peak_gflops,
    relative_difference,
    smooth_image,
)
from xai_core import occlusion

_CAPTUM_BATCHES = (1, 8)


@dataclass(frozen=True)
class Workload:
    """A model and its windows."""

    model: str
    size_px: int
    window_px: int
    stride_px: int

    @property
    def n_windows(self) -> int:
        return self.count(self.stride_px)

    def count(self, stride_px: int) -> int:
        return (math.ceil((self.size_px - self.window_px) / stride_px) + 1) ** 2


WORKLOADS = (
    Workload("resnet18", 224, 16, 8),
    Workload("squeezenet1_0", 224, 16, 8),
    Workload("densenet121", 224, 16, 8),
    Workload("resnet50", 512, 32, 16),
)

HEADER = (
    "| model, size, window/stride | windows | ours | full passes | Captum, best | Captum, default "
    "| ours vs best | vs default | share of FLOPs | ours / floor | difference |\n"
    "|---|---|---|---|---|---|---|---|---|---|---|"
)


def measure(work: Workload, *, rounds: int) -> str:
    """Return one row of the table."""
    model, image = calibrated(work.model, work.size_px), smooth_image(work.size_px)
    target = int(model(image).argmax())
    coarse_px = work.window_px  # windows that touch: the fewest Captum allows
    scale = work.n_windows / work.count(coarse_px)

    def ours(engine: str, stride_px: int) -> torch.Tensor:
        return occlusion(
            model,
            image,
            target=target,
            window=work.window_px,
            stride=stride_px,
            engine=engine,
        ).values

    def captum(batch: int) -> torch.Tensor:
        shape = (3, work.window_px, work.window_px)
        strides = (3, coarse_px, coarse_px)
        return Occlusion(model).attribute(
            image, shape, strides, target=target, perturbations_per_eval=batch
        )[0]

    seconds, results = alternate(
        {
            "ours": lambda: ours("delta", work.stride_px),
            "full passes": lambda: ours("dense", coarse_px),
            **{f"captum {batch}": lambda batch=batch: captum(batch) for batch in _CAPTUM_BATCHES},
        },
        rounds=rounds,
    )
    difference = relative_difference(ours("delta", coarse_px), results["captum 1"])
    own = seconds["ours"] / work.n_windows
    plain = seconds["full passes"] * scale / work.n_windows
    peers = [seconds[f"captum {batch}"] * scale / work.n_windows for batch in _CAPTUM_BATCHES]
    share, floor = _floor(model, work, lambda: ours("delta", work.stride_px))
    return (
        f"| {work.model}, {work.size_px}, {work.window_px}/{work.stride_px} | {work.n_windows} "
        f"| {own * 1e3:.1f} ms | {plain * 1e3:.1f} ms | {min(peers) * 1e3:.1f} ms "
        f"| {peers[0] * 1e3:.1f} ms | **{min(peers) / own:.1f}x** | {peers[0] / own:.1f}x "
        f"| {share:.2f} | {own / floor:.2f} | {difference:.0e} |"
    )


def _floor(model: nn.Module, work: Workload, run: object) -> tuple[float, float]:
    """Return the share of the full passes' FLOPs that ours needs, and seconds a window at peak."""
    with FlopCounterMode(display=False) as full, torch.no_grad():
        model(smooth_image(work.size_px))
    with FlopCounterMode(display=False) as needed:
        run()
    each = needed.get_total_flops() / work.n_windows
    return each / full.get_total_flops(), each / peak_gflops() / 1e9
